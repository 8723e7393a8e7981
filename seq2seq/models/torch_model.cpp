#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/nearest.h>
#include <weft/core/serialize.h>
#include <weft/seq2seq/models/torch_model.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

namespace weft {
namespace {

// config.json: the arguments of torch.nn.Transformer, with its defaults; then what it does not say.
struct TorchConfig : SettingGroup {
  using enum OnResume;
  // clang-format off
  Setting<int64_t> d_model{*this, 512, {"d_model", "", "", kSize}};
  Setting<int64_t> nhead{*this, 8, {"nhead", "", "", kSize}};
  Setting<int64_t> num_encoder_layers{*this, 6, {"num_encoder_layers", "", "", kSize}};
  Setting<int64_t> num_decoder_layers{*this, 6, {"num_decoder_layers", "", "", kSize}};
  Setting<int64_t> dim_feedforward{*this, 2048, {"dim_feedforward", "", "", kSize}};
  Setting<double> dropout{*this, 0.1, {"dropout", "", "", kRate}};
  Setting<std::string> activation{*this, "relu",
      {"activation", "", "", {}, kSame, {"relu", "gelu"}}};
  Setting<double> layer_norm_eps{*this, 1e-5, {"layer_norm_eps", "", "", kAboveZero}};
  Setting<bool> batch_first{*this, false, {"batch_first", "", "Says nothing to weights"}};
  Setting<bool> norm_first{*this, false, {"norm_first", "", ""}};
  Setting<bool> bias{*this, true, {"bias", "", ""}};

  Setting<double> embedding_scale{*this, 0, {"embedding_scale", "",
      "what embeddings are multiplied by", kAboveZero}};
  Setting<std::string> positions{*this, "", {"positions", "",
      "sinusoidal, none, or the tensor that is added to embeddings"}};
  Setting<std::string> src_embedding{*this, "src_embedding", {"src_embedding", "", "Its name"}};
  Setting<std::string> tgt_embedding{*this, "tgt_embedding", {"tgt_embedding", "", "Its name"}};
  Setting<std::string> generator{*this, "generator", {"generator", "", "Name of the output layer"}};
  Setting<int64_t> pad{*this, kPad, {"pad", "", "Special ids", kCount}};
  Setting<int64_t> unk{*this, kUnknown, {"unk", "", "", kCount}};
  Setting<int64_t> bos{*this, kBegin, {"bos", "", "", kCount}};
  Setting<int64_t> eos{*this, kEnd, {"eos", "", "", kCount}};
  // clang-format on

  // In the order of weft's.
  std::array<int64_t, kSpecials> specials() const { return {pad, unk, bos, eos}; }
  double scale() const { return embedding_scale / std::sqrt(static_cast<double>(d_model)); }
};

AnySetting& find(TorchConfig& config, const std::string& name) {
  std::vector<std::string> names;
  for (AnySetting* setting : config.settings()) {
    if (setting->info().name == name) return *setting;
    names.push_back(setting->info().name);
  }
  fail("there is no setting '{}'{}", name, nearest(name, names));
}

TorchConfig parse_config(const std::string& text) {
  TorchConfig c;
  const JsonObject json = parse_json(text);
  for (const auto& field : json) find(c, field.first).give(text_at(json, field.first));
  for (const AnySetting* setting : {static_cast<const AnySetting*>(&c.embedding_scale),
                                    static_cast<const AnySetting*>(&c.positions)})
    check(setting->given(), "{}: must be given: {}", setting->info().name, setting->info().help);
  check(c.d_model % c.nhead == 0, "d_model: must be a multiple of nhead; got {} and {}",
        c.d_model.value(), c.nhead.value());
  const auto ids = c.specials();
  check(std::set<int64_t>(ids.begin(), ids.end()).size() == ids.size(),
        "pad, unk, bos, eos: must be four ids; got {}, {}, {}, {}", ids[0], ids[1], ids[2], ids[3]);
  return c;
}

// PyTorch's ids in weft's order: the special ones first.
Ids weft_order(const TorchConfig& config, int64_t vocabulary) {
  const auto specials = config.specials();
  for (const int64_t id : specials)
    check(id < vocabulary, "pad, unk, bos, eos: must be below {}, the number of ids; got {}",
          vocabulary, id);
  Ids order(specials.begin(), specials.end());
  for (int64_t id = 0; id < vocabulary; ++id)
    if (std::find(specials.begin(), specials.end(), id) == specials.end()) order.push_back(id);
  return order;
}

// model.safetensors, and what of it has found a place. Of tied tensors safetensors' save_model()
// keeps one, and says in the metadata which name stands for which.
class Weights {
 public:
  explicit Weights(SafetensorsFile file) : file_(std::move(file)) {
    for (const NamedTensor& t : file_.tensors) tensors_.emplace(t.name, t.tensor);
  }

  // Under which name the tensor, or the weight of the module, of that name is saved; "" if it is
  // not.
  std::string find(const std::string& name) const {
    for (const std::string& full : {name, name + ".weight"}) {
      if (tensors_.contains(full)) return full;
      const auto kept = file_.metadata.find(full);
      if (kept != file_.metadata.end() && tensors_.contains(kept->second)) return kept->second;
    }
    return "";
  }

  const Tensor& take(const std::string& name) {
    const std::string found = find(name);
    check(!found.empty(), "there is no tensor '{}'{}", name, nearest(name, names()));
    used_.insert(found);
    return tensors_.at(found);
  }

  const Tensor& take(const std::string& name, const Shape& shape) {
    const Tensor& tensor = take(name);
    check(tensor.shape() == shape && is_floating(tensor.dtype()),
          "'{}' must be {} by config.json and vocabulary.json; got {}, {}", name, shape,
          tensor.shape(), to_string(tensor.dtype()));
    return tensor;
  }

  // "transformer." if torch.nn.Transformer was called so.
  std::string transformer_prefix() const {
    const std::string suffix = "encoder.layers.0.self_attn.in_proj_weight";
    std::vector<std::string> found;
    for (const NamedTensor& t : file_.tensors)
      if (t.name.ends_with(suffix))
        found.push_back(t.name.substr(0, t.name.size() - suffix.size()));
    check(found.size() == 1, "must hold one torch.nn.Transformer; got {} tensors '...{}'",
          found.size(), suffix);
    return found[0];
  }

  void check_all_used() const {
    for (const auto& entry : tensors_)
      check(used_.contains(entry.first),
            "'{}' has no place; config.json says which tensors are positions, src_embedding, "
            "tgt_embedding and generator",
            entry.first);
  }

 private:
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : tensors_) all.push_back(entry.first);
    return all;
  }

  SafetensorsFile file_;
  std::map<std::string, Tensor> tensors_;
  std::set<std::string> used_;
};

// Added to the logit of what is never written: its exponential is 0.
constexpr double kNever = -1e9;

// Puts PyTorch's tensors where weft's model has them.
class Import {
 public:
  Import(const TorchConfig& config, SafetensorsFile file, const TorchSide& source,
         const TorchSide& target)
      : config_(config),
        weights_(std::move(file)),
        prefix_(weights_.transformer_prefix()),
        source_(source),
        target_(target) {}

  TorchModel model() {
    take_embeddings();
    take_positions();
    check_layers();
    options_.transformer = transformer_options();
    auto model = std::make_unique<TransformerSeq2Seq>(options_, Generator(0));
    model->to(dtype_);
    const std::string own = "transformer.";
    for (const NamedTensor& t : model->state_dict())
      if (t.name.starts_with(own))
        state_.push_back({t.name, weights_.take(prefix_ + t.name.substr(own.size()))});
    model->load_state_dict(state_);
    weights_.check_all_used();
    return {model_config(), std::move(model)};
  }

 private:
  int64_t vocabulary() const { return std::ssize(target_.ids); }

  // The rows of [size, ...] in the order of the model's ids.
  Tensor rows(const Tensor& x, const TorchSide& side) const {
    const Ids order = weft_order(config_, side.size);
    Ids index;
    for (const int64_t id : side.ids) index.push_back(order[static_cast<size_t>(id)]);
    return index_select(x, 0, from_vector(index, {std::ssize(index)}));
  }

  // What the target lacks is never written.
  bool lacks_words() const { return target_.size < vocabulary(); }
  Tensor never_written() const {
    std::vector<double> added(target_.ids.size(), 0.0);
    for (size_t id = kSpecials; id < added.size(); ++id)
      if (target_.ids[id] == kUnknown) added[id] = kNever;
    return to(from_vector(added, {vocabulary()}), dtype_);
  }

  void take_output_bias(const std::string& name) {
    const bool given = !weights_.find(name).empty();
    options_.output_bias = given || lacks_words();
    if (!options_.output_bias) return;
    const Tensor bias =
        given ? rows(weights_.take(name, {target_.size}), target_) : zeros({vocabulary()}, dtype_);
    state_.push_back({"output_bias", lacks_words() ? bias + never_written() : bias});
  }

  void take_embeddings() {
    const Shape shape{target_.size, config_.d_model};
    const std::string &src = config_.src_embedding, &tgt = config_.tgt_embedding,
                      &out = config_.generator;
    const Tensor& source = weights_.take(src, {source_.size, config_.d_model});
    const Tensor& target = weights_.take(tgt, shape);
    const Tensor& output = weights_.take(out, shape);
    dtype_ = source.dtype();
    const double scale = config_.scale();  // beside weft's own sqrt(d)
    options_.vocabulary = vocabulary();
    options_.tied_embeddings = source_.ids == target_.ids &&
                               weights_.find(src) == weights_.find(tgt) &&
                               weights_.find(src) == weights_.find(out) && scale == 1;
    state_.push_back({"embedding.weight", rows(source, source_) * scale});
    take_output_bias(out + ".bias");
    if (options_.tied_embeddings) return;
    state_.push_back({"target_embedding.weight", rows(target, target_) * scale});
    state_.push_back({"output.weight", rows(output, target_)});
  }

  void take_positions() {
    const std::string& name = config_.positions;
    options_.positions = name == "none" ? Positions::none : Positions::sinusoidal;
    if (name == "none" || name == "sinusoidal") return;
    const Tensor& table = weights_.take(name);
    const Shape found = table.shape();  // perhaps with a dim of 1 for the batch
    const int64_t longest = table.numel() / config_.d_model;
    check(longest > 0 && found.rank() >= 2 && found.back() == config_.d_model &&
              *std::max_element(found.begin(), found.end() - 1) == longest,
          "'{}' must be [longest, {}], a row for each position; got {}", name,
          config_.d_model.value(), found);
    options_.positions = Positions::learned;
    options_.longest = longest;
    state_.push_back({"positions.weight", reshape(table, {longest, config_.d_model})});
  }

  // Memory is taken for what the file holds, whatever config.json says.
  void check_layers() {
    const int64_t d = config_.d_model;
    const auto check_stack = [&](const std::string& stack, int64_t layers) {
      for (int64_t i = 0; i < layers; ++i) {
        const std::string layer = fmt::format("{}{}.layers.{}.", prefix_, stack, i);
        weights_.take(layer + "self_attn.in_proj_weight", {3 * d, d});
        weights_.take(layer + "linear1.weight", {config_.dim_feedforward, d});
      }
    };
    check_stack("encoder", config_.num_encoder_layers);
    check_stack("decoder", config_.num_decoder_layers);
  }

  TransformerOptions transformer_options() const {
    const bool gelu = config_.activation.value() == "gelu";
    return {
        .layer = {.d_model = config_.d_model,
                  .nhead = config_.nhead,
                  .dim_feedforward = config_.dim_feedforward,
                  .dropout = config_.dropout,
                  .activation = gelu ? FeedForwardActivation::gelu : FeedForwardActivation::relu,
                  .layer_norm_eps = config_.layer_norm_eps,
                  .norm_first = config_.norm_first,
                  .bias = config_.bias},
        .num_encoder_layers = static_cast<int>(config_.num_encoder_layers),
        .num_decoder_layers = static_cast<int>(config_.num_decoder_layers),
        .final_norm = !weights_.find(prefix_ + "encoder.norm").empty()};
  }

  ModelConfig model_config() const {
    ModelConfig c;
    c.vocabulary = vocabulary();
    c.d_model = config_.d_model.value();
    c.layers = config_.num_encoder_layers.value();
    c.encoder_layers = config_.num_encoder_layers.value();
    c.decoder_layers = config_.num_decoder_layers.value();
    c.heads = config_.nhead.value();
    c.ffn = config_.dim_feedforward.value();
    c.activation = config_.activation.value();
    c.norm = config_.norm_first ? "pre" : "post";
    c.positions = options_.positions == Positions::learned ? "learned" : config_.positions.value();
    c.embeddings = options_.tied_embeddings ? "tied" : "separate";
    c.dropout = config_.dropout.value();
    c.attention_dropout = config_.dropout.value();
    c.activation_dropout = config_.dropout.value();
    return c;
  }

  const TorchConfig& config_;
  Weights weights_;
  std::string prefix_;
  const TorchSide &source_, &target_;
  TransformerSeq2SeqOptions options_{};
  DType dtype_ = kFloat32;
  NamedTensors state_;
};

// What `act` gives; its errors begin with the file.
template <class Act>
auto with_name(const std::filesystem::path& file, Act act) {
  try {
    return act();
  } catch (const Error& e) {
    fail("{}: {}", file.string(), e.what());
  }
}

}  // namespace

TorchSide torch_side(const Vocabulary& side, const Vocabulary& model) {
  TorchSide found{side.size(), {}};
  for (int64_t id = 0; id < model.size(); ++id)
    found.ids.push_back(id < kSpecials || &side == &model ? id : side.encode(model.piece(id))[0]);
  return found;
}

TorchModel load_torch_model(const std::filesystem::path& dir, const TorchSide& source,
                            const TorchSide& target) {
  const std::filesystem::path config_file = dir / "config.json", file = dir / kTorchWeights;
  const std::string text = read_file(config_file);
  const TorchConfig config = with_name(config_file, [&] {
    TorchConfig c = parse_config(text);
    for (const TorchSide* side : {&source, &target}) weft_order(c, side->size);  // which checks
    return c;
  });
  SafetensorsFile tensors = load_safetensors(file.string());
  return with_name(file,
                   [&] { return Import(config, std::move(tensors), source, target).model(); });
}

}  // namespace weft
