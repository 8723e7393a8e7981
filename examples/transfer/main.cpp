// What a model has learned of one pair of languages, carried over to a related pair. A translator
// from English to Highland hands its encoder, or all that fits, to one that is to learn English to
// Lowland from 400 sentences. The encoder stays frozen at first, while the decoder learns to read
// it. How much sooner is the new translator good than one from scratch?
//   transfer [SEEDS]
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "languages.h"

using namespace weft;

namespace {

struct Data {
  ParallelText train, valid;
  std::unique_ptr<Vocabulary> words;
};

Data draw_data(std::string (*language)(const languages::Meaning&), size_t pairs, uint64_t seed) {
  std::set<std::string> seen;
  const Generator random(seed);
  Data data;
  data.train = languages::draw_pairs(pairs, language, seen, random);
  data.valid = languages::draw_pairs(200, language, seen, random);
  data.words = word_vocabulary(data.train.source, data.train.target);
  return data;
}

// Source and target words have matrices of their own, so that one side can be frozen alone.
TransformerSeq2SeqOptions options(const Vocabulary& words) {
  return {
      .vocabulary = words.size(),
      .transformer = {.layer = {.d_model = 64, .nhead = 4, .dim_feedforward = 128, .dropout = 0},
                      .num_encoder_layers = 2,
                      .num_decoder_layers = 2},
      .tied_embeddings = false};
}

constexpr std::array kEncoder{"embedding", "transformer.encoder"};
constexpr std::array kDecoder{"target_embedding", "transformer.decoder", "output"};

// What a new model begins with.
struct Start {
  const char* name;
  bool encoder, decoder;  // carried over, else fresh
};
constexpr std::array kStarts{Start{"from scratch", false, false},
                             Start{"encoder carried over", true, false},
                             Start{"all carried over", true, true}};
constexpr int64_t kFrozen = 100;  // updates for which an encoder that was carried over is frozen

// A matrix [words, D] with the rows of `trained` for words that the old vocabulary has too, and
// those of `fresh` for others; `known` counts the former.
Tensor rows_by_word(const Tensor& trained, const Vocabulary& old_words, const Tensor& fresh,
                    const Vocabulary& words, size_t& known) {
  std::map<std::string, int64_t> old_ids;
  for (int64_t id = 0; id < old_words.size(); ++id) old_ids[old_words.piece(id)] = id;
  Tensors rows;
  for (int64_t id = 0; id < words.size(); ++id) {
    const auto old = old_ids.find(words.piece(id));
    const bool is_known = old != old_ids.end();
    rows.push_back(is_known ? select(trained, 0, old->second) : select(fresh, 0, id));
    known += is_known;
  }
  return stack(rows, 0);
}

// Loads one part of a trained model, all tensors whose names begin with it; a matrix of words by
// its rows. Tells what it did.
void carry_over(const std::string& part, const Seq2SeqModel& trained, const Vocabulary& old_words,
                Seq2SeqModel& model, const Vocabulary& words) {
  const NoGrad no_grad;
  NamedTensors state;
  for (const NamedTensor& t : trained.state_dict())
    if (t.name.starts_with(part + ".")) state.push_back(t);
  if (part.starts_with("transformer")) {
    std::printf("  loaded     %-20s all %zu tensors\n", part.c_str(), state.size());
  } else {
    Tensor& rows = state.at(0).tensor;
    size_t known = 0;
    rows = rows_by_word(rows, old_words, model.find(state[0].name), words, known);
    std::printf("  re-mapped  %-20s %zu of %lld rows, by word; the others are fresh\n",
                part.c_str(), known, static_cast<long long>(words.size()));
  }
  model.load_state_dict(state, /*strict=*/false);
}

void freeze_encoder(Seq2SeqModel& model, bool frozen) {
  for (const char* part : kEncoder) model.find_module(part).set_requires_grad(!frozen);
}

double exactly_right(Seq2SeqModel& model, const Data& data) {
  model.eval();
  const auto found = translate_all(model, *data.words, data.valid.source, BeamSearch({.beam = 1}));
  model.train();
  return exact_match(found, data.valid.target);
}

struct Cost {
  int64_t updates = 0;
  double seconds = 0;  // without those of validation
};

// Until 95 % of the validation sentences are right, the encoder frozen for so many updates.
Cost train(Seq2SeqModel& model, const Data& data, int64_t frozen) {
  constexpr int64_t kMost = 3000, kValidateEvery = 25;
  constexpr double kGoal = 95;
  const std::vector<Pair> pairs = encode_pairs(*data.words, data.train);
  Adam adam(model.named_parameters(), {.lr = 3e-3, .beta2 = 0.98});
  Schedule schedule(adam, schedules::warmup_decay(100));
  freeze_encoder(model, frozen > 0);
  Cost cost;
  for (int64_t epoch = 0;; ++epoch) {
    for (const Batch& batch : training_batches(pairs, 256, /*seed=*/1, epoch).batches) {
      const auto start = std::chrono::steady_clock::now();
      if (cost.updates == frozen) freeze_encoder(model, false);
      const PaddedIds source = pad_ids(pairs, batch, &Pair::source);
      model.loss(source, pad_ids(pairs, batch, &Pair::target), /*label_smoothing=*/0).backward();
      adam.step(clip_factor(grad_norm(adam.parameters()), 1));
      adam.zero_grad();
      schedule.step();
      cost.seconds +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (++cost.updates % kValidateEvery != 0) continue;
      if (exactly_right(model, data) >= kGoal || cost.updates == kMost) return cost;
    }
  }
}

// Gives a new model what it begins with.
void begin(const Start& start, const Seq2SeqModel& trained, const Vocabulary& old_words,
           Seq2SeqModel& model, const Vocabulary& words) {
  const auto take = [&](const auto& parts, bool carried) {
    for (const char* part : parts) {
      if (carried) carry_over(part, trained, old_words, model, words);
      if (!carried) std::printf("  fresh      %s\n", part);
    }
  };
  take(kEncoder, start.encoder);
  take(kDecoder, start.decoder);
}

void show(const char* language, const ParallelText& text) {
  std::printf("%s\n  %s: %s\n", text.source[0].c_str(), language, text.target[0].c_str());
}

void print(const char* what, int64_t updates, double seconds) {
  std::printf("  %-22s %5lld updates %6.1f s\n", what, static_cast<long long>(updates), seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::atoi(argv[1]) : 3;
  if (seeds < 1) {
    std::fprintf(stderr, "transfer: expected a number of seeds, at least 1; got %s\n", argv[1]);
    return 1;
  }
  const Data highland = draw_data(languages::highland, 4000, 1);
  const Data lowland = draw_data(languages::lowland, 400, 2);
  show("Highland", highland.valid);
  show("Lowland", lowland.valid);
  TransformerSeq2Seq trained(options(*highland.words), Generator(1));
  const Cost before = train(trained, highland, 0);
  print("Highland", before.updates, before.seconds);

  std::map<std::string, Cost> totals;
  for (int seed = 1; seed <= seeds; ++seed) {
    for (const Start& start : kStarts) {
      std::printf("Lowland, %s, seed %d\n", start.name, seed);
      TransformerSeq2Seq model(options(*lowland.words), Generator(static_cast<uint64_t>(seed)));
      begin(start, trained, *highland.words, model, *lowland.words);
      const Cost cost = train(model, lowland, start.encoder ? kFrozen : 0);
      print("to 95 %", cost.updates, cost.seconds);
      totals[start.name].updates += cost.updates;
      totals[start.name].seconds += cost.seconds;
    }
  }
  std::printf("\nmean of %d seeds\n", seeds);
  for (const Start& start : kStarts)
    print(start.name, totals[start.name].updates / seeds, totals[start.name].seconds / seeds);
  const bool sooner = totals[kStarts[1].name].updates < totals[kStarts[0].name].updates &&
                      totals[kStarts[2].name].updates < totals[kStarts[0].name].updates;
  return sooner ? 0 : 1;
}
