// What page.html calls to train a small translator, to judge it, and to look at the cross-attention
// of one sentence and its gradient. On any other machine: a program that prints what it shows.
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>

using namespace weft;

namespace {

constexpr int64_t kUpdates = 4400, kWarmup = 400, kMaxTokens = 256, kSeed = 1;

struct Learner {
  Corpus corpus = german_corpus();
  std::unique_ptr<Vocabulary> vocabulary =
      word_vocabulary(corpus.train.text.source, corpus.train.text.target);
  std::vector<Pair> pairs = encode_pairs(*vocabulary, corpus.train.text);
  TransformerSeq2Seq model{
      {.vocabulary = vocabulary->size(),
       .transformer = {.layer = {.d_model = 64, .nhead = 4, .dim_feedforward = 128, .dropout = 0},
                       .num_encoder_layers = 2,
                       .num_decoder_layers = 2}},
      Generator(kSeed)};
  Adam adam{model.named_parameters(), {.lr = 3e-3, .beta2 = 0.98}};
  Schedule schedule{adam,
                    schedules::with_warmup(kWarmup, schedules::linear(1, 0, kUpdates - kWarmup))};
  std::vector<Batch> batches;  // of an epoch
  size_t next = 0;
  int64_t epoch = 0, tokens = 0;
  std::string picture;
};

std::unique_ptr<Learner> learner;

const ParallelText& test() { return learner->corpus.tests[0].text; }

// The first test sentence with a relative clause, whose verb German puts last.
size_t shown() {
  const auto has_clause = [](const std::string& s) { return s.find("which") != std::string::npos; };
  const std::vector<std::string>& all = test().source;
  return static_cast<size_t>(std::find_if(all.begin(), all.end() - 1, has_clause) - all.begin());
}

const Batch& next_batch() {
  Learner& l = *learner;
  if (l.next == l.batches.size()) {
    l.batches = training_batches(l.pairs, kMaxTokens, kSeed, l.epoch++).batches;
    l.next = 0;
  }
  return l.batches[l.next++];
}

std::vector<std::string> translate(std::span<const std::string> sentences) {
  return translate_all(learner->model, *learner->vocabulary, sentences);
}

void append_words(std::string& json, const char* name, const Ids& ids) {
  json += std::string(",\"") + name + "\":[";
  for (const int64_t id : ids)
    json += (json.back() == '[' ? "\"" : ",\"") + learner->vocabulary->piece(id) + '"';
  json += ']';
}

void append_numbers(std::string& json, const char* name, const Tensor& x) {
  json += std::string(",\"") + name + "\":[";
  char number[32];
  for (const float value : x.to_vector<float>()) {
    std::snprintf(number, sizeof number, json.back() == '[' ? "%.4g" : ",%.4g", value);
    json += number;
  }
  json += ']';
}

}  // namespace

extern "C" {

/// Makes corpus and model anew; how many updates the training takes.
int begin() {
  learner = std::make_unique<Learner>();
  learner->model.eval();  // without dropout, training is no other mode
  return kUpdates;
}

/// One update; the loss of its batch, in nats a token.
double step() {
  Learner& l = *learner;
  const Batch& batch = next_batch();
  l.tokens += predicted_tokens(l.pairs, batch);
  const Tensor loss = l.model.loss(pad_ids(l.pairs, batch, &Pair::source),
                                   pad_ids(l.pairs, batch, &Pair::target), 0);
  loss.backward();
  l.adam.step(clip_factor(grad_norm(l.adam.parameters()), 1));
  l.adam.zero_grad();
  l.schedule.step();
  return loss.item();
}

/// Target tokens that were trained on.
double tokens() { return static_cast<double>(learner->tokens); }

/// Per cent of the first `sentences` held-out ones that greedy search translates exactly.
double evaluate(int sentences) {
  const std::span source(test().source), target(test().target);
  const auto count = std::min(static_cast<size_t>(sentences), source.size());
  return exact_match(translate(source.first(count)), target.first(count));
}

/// One held-out sentence, as JSON: its words, its translation now, and of each head of the last
/// decoder layer the cross-attention A with which the decoder reads the reference, and dL/dA of the
/// reference's loss L. [heads, Tq, Tk] each, row after row.
const char* attention() {
  Learner& l = *learner;
  const std::string& sentence = test().source[shown()];
  const Pair pair{encode_source(*l.vocabulary, sentence),
                  encode_target(*l.vocabulary, test().target[shown()])};
  Tensor loss;
  const PaddedIds from = pad_ids(std::span(&pair.source, 1)),
                  to = pad_ids(std::span(&pair.target, 1));
  const Tensor weights = l.model.trace(from, to, &loss).cross.back();  // [1, H, Tq, Tk]
  // Words of the grammar hold nothing that JSON would write in another way.
  l.picture = "{\"sentence\":\"" + sentence + '"';
  l.picture += ",\"translation\":\"" + translate(std::span(&sentence, 1))[0] + '"';
  append_words(l.picture, "source", pair.source);
  append_words(l.picture, "target", Ids(pair.target.begin() + 1, pair.target.end()));
  append_numbers(l.picture, "weights", weights.detach());
  append_numbers(l.picture, "gradient", grad(loss, weights));
  l.picture += '}';
  return l.picture.c_str();
}

}  // extern "C"

#if !defined(__EMSCRIPTEN__)
int main() {
  const int updates = begin();
  for (int update = 1; update <= updates; ++update) {
    const double loss = step();
    if (update % 200 == 0)
      std::printf("update %d: loss %.3f, %.1f %% exactly right, %.1f s of CPU time\n", update, loss,
                  evaluate(update == updates ? 1000 : 200),
                  static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  }
  std::puts(attention());
}
#endif
