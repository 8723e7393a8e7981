// Directories that PyTorch filled: what comes out of them is what PyTorch itself computes.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/models/torch_model.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/tests/nn/numbers.h>
#include <weft/tests/places.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>

using namespace weft;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = test_data("torch_models");

// A directory's sentences in weft's ids, whose order follows from PyTorch's special ones.
struct Expected {
  SafetensorsFile file;
  Ids order;  // PyTorch's ids: pad, unk, bos, eos, the rest

  Expected(const std::string& name, const Ids& specials)
      : file(load_safetensors((kModels / name / "expected.safetensors").string())),
        order(specials) {
    for (int64_t id = 0; id < file.at("output.log_probs").size(2); ++id)
      if (std::find(specials.begin(), specials.end(), id) == specials.end()) order.push_back(id);
  }

  PaddedIds ids(const std::string& side) const {
    const Tensor& torch = file.at("input." + side);
    std::vector<Ids> rows(static_cast<size_t>(torch.size(0)));
    for (int64_t b = 0; b < torch.size(0); ++b)
      for (int64_t t = 0; t < torch.size(1); ++t) {
        const auto found = std::find(order.begin(), order.end(), torch.at({b, t}));
        if (found - order.begin() != kPad)
          rows[static_cast<size_t>(b)].push_back(found - order.begin());
      }
    return pad_ids(rows);
  }

  // [B, T, V] in weft's order.
  Tensor log_probs() const {
    return index_select(file.at("output.log_probs"), 2, from_vector(order, {std::ssize(order)}));
  }

  void check_all(const std::string& what, const AttentionTrace& found) const {
    size_t count = 0;
    for (const auto& [place, tensors] :
         {std::pair("encoder", &found.encoder), std::pair("decoder", &found.decoder),
          std::pair("cross", &found.cross)})
      for (size_t layer = 0; layer < tensors->size(); ++layer, ++count) {
        const std::string name = "output." + what + "." + place + "." + std::to_string(layer);
        CAPTURE(name);
        CHECK(largest_difference((*tensors)[layer], file.at(name)) < kClose);
      }
    CHECK(count == static_cast<size_t>(std::count_if(
                       file.tensors.begin(), file.tensors.end(), [&](const NamedTensor& t) {
                         return t.name.starts_with("output." + what + ".");
                       })));
  }
};

// Of every step, [B, T, V].
Tensor log_probs_by_step(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target) {
  const NoGrad no_grad;
  const auto decoding = model.start(source);
  const Tensor ids = to_tensor(target);
  Tensors steps;
  for (int64_t t = 0; t + 1 < target.columns; ++t)
    steps.push_back(decoding->next_log_probs(contiguous(slice(ids, 1, t, t + 1))));
  return stack(steps, 1);
}

struct Case {
  const char* name;
  Ids specials;  // pad, unk, bos, eos
};
const std::vector<Case> kCases{
    {"reverser", {0, 1, 2, 3}}, {"learned", {1, 0, 2, 3}}, {"bare", {6, 0, 4, 9}}};

// What is wrong with a copy of `name` after `change`.
std::string complaint(const std::string& name, const std::function<void(const fs::path&)>& change) {
  const TempDir dir;
  for (const char* file : {"config.json", "vocabulary.json", kTorchWeights})
    fs::copy_file(kModels / name / file, fs::path(dir.path()) / file);
  change(dir.path());
  std::string message = message_of([&] { load_model(dir.path()); });
  const std::string prefix = fs::path(dir.path()).string() + "/";
  if (message.starts_with(prefix)) message.erase(0, prefix.size());
  return message;
}

// The same where config.json has `to` in place of `from`.
std::string config_complaint(const std::string& name, const std::string& from,
                             const std::string& to) {
  return complaint(name, [&](const fs::path& dir) {
    std::string text = read_file(dir / "config.json");
    REQUIRE(text.find(from) != std::string::npos);
    write_file(dir / "config.json", text.replace(text.find(from), from.size(), to));
  });
}

// The same where the weights are changed.
std::string weights_complaint(const std::string& name,
                              const std::function<void(NamedTensors&)>& change) {
  return complaint(name, [&](const fs::path& dir) {
    SafetensorsFile file = load_safetensors((dir / kTorchWeights).string());
    change(file.tensors);
    save_safetensors((dir / kTorchWeights).string(), file.tensors, file.metadata);
  });
}

NamedTensor& named(NamedTensors& tensors, const std::string& name) {
  return *std::find_if(tensors.begin(), tensors.end(),
                       [&](const NamedTensor& t) { return t.name == name; });
}

}  // namespace

TEST_CASE("torch model: a directory that PyTorch filled gives PyTorch's numbers") {
  for (const auto& [name, specials] : kCases) {
    CAPTURE(name);
    const LoadedModel loaded = load_model(kModels / name);
    const Expected torch(name, specials);
    const PaddedIds source = torch.ids("src"), target = torch.ids("tgt");
    CHECK(largest_difference(log_probs_by_step(*loaded.model, source, target), torch.log_probs()) <
          kClose);

    Tensor loss;
    const AttentionTrace trace = loaded.model->trace(source, target, &loss);
    double predicted = 0;
    for (const int64_t length : target.lengths) predicted += static_cast<double>(length - 1);
    const AttentionTrace gradients = attention_gradients(loss * -predicted, trace);
    torch.check_all("weights", trace);
    torch.check_all("gradients", gradients);
    const Relevance r = relevance(trace, gradients);
    CHECK(largest_difference(r.encoder, torch.file.at("output.relevance.encoder")) < kClose);
    CHECK(largest_difference(r.decoder, torch.file.at("output.relevance.decoder")) < kClose);
    CHECK(largest_difference(r.cross, torch.file.at("output.relevance.cross")) < kClose);
  }
}

TEST_CASE("torch model: what it is made of") {
  const LoadedModel reverser = load_model(kModels / "reverser");
  CHECK(reverser.vocabulary->size() == 12);
  CHECK(reverser.config.model.value() == "transformer");
  CHECK(reverser.config.embeddings.value() == "tied");
  CHECK(translate_all(*reverser.model, *reverser.vocabulary,
                      std::vector<std::string>{"red green blue", "black white"}) ==
        std::vector<std::string>{"blue green red", "white black"});
  const LoadedModel learned = load_model(kModels / "learned");
  CHECK(learned.config.embeddings.value() == "separate");
  CHECK(learned.config.positions.value() == "learned");
  CHECK(learned.config.norm.value() == "pre");
  CHECK(learned.config.decoder_depth() == 2);
}

TEST_CASE("torch model: errors of config.json") {
  CHECK(config_complaint("reverser", "\"nhead\": 2", "\"nhead\": 3") ==
        "config.json: d_model: must be a multiple of nhead; got 16 and 3");
  CHECK(config_complaint("reverser", "\"nhead\"", "\"n_head\"") ==
        "config.json: there is no setting 'n_head'; nearest: nhead, pad, bias");
  CHECK(config_complaint("reverser", "\"nhead\": 2", "\"nhead\": true") ==
        "config.json: nhead: must be a whole number of at most 18 digits, without leading zeros; "
        "got 'true'");
  CHECK(config_complaint("reverser", "\"num_encoder_layers\": 2", "\"num_encoder_layers\": 0") ==
        "config.json: num_encoder_layers: must be in [1, 16777216); got 0");
  CHECK(config_complaint("reverser", ",\n  \"positions\": \"sinusoidal\"", "") ==
        "config.json: positions: must be given: sinusoidal, none, or the tensor that is added to "
        "embeddings");
  CHECK(config_complaint("reverser", ",\n  \"embedding_scale\": 4.0", "") ==
        "config.json: embedding_scale: must be given: what embeddings are multiplied by");
  CHECK(config_complaint("learned", "\"activation\": \"gelu\"", "\"activation\": \"silu\"") ==
        "config.json: activation: must be one of relu, gelu; got 'silu'");
  CHECK(config_complaint("learned", "\"pad\": 1", "\"pad\": 0") ==
        "config.json: pad, unk, bos, eos: must be four ids; got 0, 0, 2, 3");
  CHECK(config_complaint("learned", "\"pad\": 1", "\"pad\": 12") ==
        "config.json: pad, unk, bos, eos: must be below 12, the number of ids; got 12");
  CHECK(complaint("bare", [](const fs::path& dir) {
          write_file(dir / "config.json", "[");
        }).starts_with("config.json: "));
}

TEST_CASE("torch model: errors of names and shapes") {
  CHECK(config_complaint("learned", "src_tok_emb.embedding", "src_emb") ==
        "model.safetensors: there is no tensor 'src_emb'; nearest: places, output.bias, "
        "output.weight");
  CHECK(config_complaint("learned", "\"places\"", "\"none\"") ==
        "model.safetensors: 'places' has no place; config.json says which tensors are positions, "
        "src_embedding, tgt_embedding and generator");
  CHECK(config_complaint("learned", "\"places\"", "\"output.bias\"") ==
        "model.safetensors: 'output.bias' must be [longest, 8], a row for each position; got [12]");
  CHECK(config_complaint("reverser", "\"d_model\": 16", "\"d_model\": 32") ==
        "model.safetensors: 'src_embedding' must be [12, 32] by config.json and vocabulary.json; "
        "got [12, 16], float64");
  CHECK(config_complaint("reverser", "\"dim_feedforward\": 32", "\"dim_feedforward\": 64") ==
        "model.safetensors: 'transformer.encoder.layers.0.linear1.weight' must be [64, 16] by "
        "config.json and vocabulary.json; got [32, 16], float64");
  CHECK(config_complaint("reverser", "\"num_encoder_layers\": 2", "\"num_encoder_layers\": 1")
            .starts_with("model.safetensors: 'transformer.encoder.layers.1."));
  CHECK(
      config_complaint("reverser", "\"num_decoder_layers\": 2", "\"num_decoder_layers\": 16000000")
          .starts_with("model.safetensors: there is no tensor "
                       "'transformer.decoder.layers.2.self_attn.in_proj_weight'"));
  CHECK(weights_complaint("bare",
                          [](NamedTensors& all) {
                            named(all, "decoder.layers.0.norm1.weight").tensor =
                                ones({9}, kFloat64);
                          }) ==
        "model.safetensors: load_state_dict: the state does not fit the module; wrong shape: "
        "transformer.decoder.layers.0.norm1.weight [9] instead of [8]");
  CHECK(weights_complaint("bare",
                          [](NamedTensors& all) {
                            std::erase_if(
                                all, [](const auto& t) { return t.name.find("self_attn") < 99; });
                          }) ==
        "model.safetensors: must hold one torch.nn.Transformer; got 0 tensors "
        "'...encoder.layers.0.self_attn.in_proj_weight'");
  CHECK(complaint("bare", [](const fs::path& dir) {
          write_file(dir / "vocabulary.json", R"({"kind": "words", "pieces": ["a"]})");
        }) == "config.json: pad, unk, bos, eos: must be below 5, the number of ids; got 6");
  CHECK(complaint("bare", [](const fs::path& dir) {
          fs::remove(dir / "vocabulary.json");
        }).find("vocabulary.json") != std::string::npos);
}

namespace {

using Words = std::vector<std::string>;

std::string words_json(const Words& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "\"" : ", \"") + word + "\"";
  return R"({"kind": "words", "pieces": [)" + list + "]}";
}

// `learned`, with a vocabulary for each side of some of its words, in another order.
void write_two_vocabularies(const fs::path& dir, const Words& source, const Words& target) {
  const auto all = load_vocabulary(kModels / "learned");
  const auto rows = [&](const Tensor& x, const Words& words) {
    Ids index{0, 1, 2, 3};  // special in PyTorch's order too
    for (const std::string& word : words) index.push_back(all->encode(word)[0]);
    return index_select(x, 0, from_vector(index, {std::ssize(index)}));
  };
  SafetensorsFile file = load_safetensors((kModels / "learned" / kTorchWeights).string());
  for (const char* name : {"tgt_tok_emb.embedding.weight", "output.weight", "output.bias"})
    named(file.tensors, name).tensor = rows(file.at(name), target);
  NamedTensor& embedding = named(file.tensors, "src_tok_emb.embedding.weight");
  embedding.tensor = rows(embedding.tensor, source);
  save_safetensors((dir / kTorchWeights).string(), file.tensors);
  fs::copy_file(kModels / "learned/config.json", dir / "config.json");
  write_file(dir / "source_vocabulary.json", words_json(source));
  write_file(dir / "target_vocabulary.json", words_json(target));
}

// Log-probabilities of these words and of the end, after `begin` and "red".
std::vector<double> second_step(const LoadedModel& loaded, const std::string& source,
                                const Words& words) {
  const NoGrad no_grad;
  const Vocabulary& v = *loaded.vocabulary;
  const auto decoding = loaded.model->start(pad_ids(std::vector<Ids>{encode_source(v, source)}));
  Tensor found;
  for (const int64_t id : {kBegin, v.encode("red")[0]})
    found = decoding->next_log_probs(from_vector<int64_t>({id}, {1, 1}));
  std::vector<double> chosen{found.at({0, kEnd})};
  for (const std::string& word : words) chosen.push_back(found.at({0, v.encode(word)[0]}));
  return chosen;
}

}  // namespace

TEST_CASE("torch model: vocabularies of source and target that differ") {
  const TempDir dir;
  const Words source{"yellow", "white", "red", "grey"}, target{"blue", "red", "black"};
  write_two_vocabularies(dir.path(), source, target);
  const LoadedModel all = load_model(kModels / "learned"), two = load_model(dir.path());
  CHECK(two.vocabulary->size() == kSpecials + 6);
  CHECK(two.config.embeddings.value() == "separate");

  // As the whole model, which may also write other words and the special ones.
  const std::vector<double> whole = second_step(all, "white red grey", target);
  const std::vector<double> found = second_step(two, "white red grey", target);
  const double shift = found[0] - whole[0];  // what other words had
  CHECK(shift > 0);
  for (size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] - whole[i] == Approx(shift).epsilon(1e-10));

  // A word of the target alone is unknown in a source; one of the source alone is never written.
  CHECK(second_step(two, "black red", target) == second_step(two, "nonsense red", target));
  CHECK(second_step(two, "white red grey", {"yellow"})[1] < -1e8);
}

TEST_CASE("torch model: two vocabularies that do not go together") {
  const auto complaint = [](const std::string& source, const std::string& target) {
    const TempDir dir;
    write_two_vocabularies(dir.path(), {"red"}, {"red", "blue"});
    dir.write("source_vocabulary.json", source);
    dir.write("target_vocabulary.json", target);
    return message_of([&] { load_model(dir.path()); });
  };
  CHECK(complaint(words_json({"red"}), R"({"kind": "characters", "pieces": ["r"]})") ==
        "vocabularies of source and target must both be of words or both of characters; got those "
        "of words and chars");
  CHECK_THAT(complaint(words_json({"red", "blue"}), words_json({"red", "blue"})),
             Catch::Matchers::Contains("'src_tok_emb.embedding' must be [6, 8]") &&
                 Catch::Matchers::Contains("got [5, 8]"));
}
