#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/seq2seq/models/recurrent_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

namespace weft {
namespace {

RecurrentSeq2SeqOptions checked(const RecurrentSeq2SeqOptions& o) {
  check(o.vocabulary > kEnd,
        "recurrent seq2seq: vocabulary must be above {}, the largest special "
        "id; got {}",
        kEnd, o.vocabulary);
  check(o.d_model > 0, "recurrent seq2seq: d_model must be positive; got {}", o.d_model);
  check(o.num_layers > 0, "recurrent seq2seq: num_layers must be positive; got {}", o.num_layers);
  check(o.dropout >= 0 && o.dropout < 1, "recurrent seq2seq: dropout must be in [0, 1); got {}",
        o.dropout);
  return o;
}

AttentionCall attention_call(const std::vector<int64_t>& lengths, int64_t longest, bool weights) {
  return {Mask::padding(lengths, longest),
          weights ? AttentionWeights::per_head : AttentionWeights::none};
}

// The weights of steps that depend on each other, in one tensor that the loss depends on.
class StepWeights {
 public:
  StepWeights(int64_t rows, int64_t steps, int64_t keys, DType dtype)
      : all_(permute(zeros({steps, rows, 1, keys}, dtype), {1, 2, 0, 3})) {
    if (grad_enabled()) all_.set_requires_grad();
  }

  // The context of `step`, made by the weights that stand in all(): they are put there, and their
  // difference from those that made it is zero, with a slope of one.
  Tensor context(int64_t step, const AttentionResult& found, const Tensor& memory) {
    const Tensor made = found.weights.detach();  // [B, 1, 1, Tk]
    init::copy(select(all_.detach(), 2, step), select(made, 2, 0));
    const Tensor here = slice(all_, 2, step, step + 1);
    return found.output + matmul(squeeze(here - made, 1), memory);
  }

  Tensor all() const { return all_; }

 private:
  Tensor all_;  // [B, 1, Tq, Tk]; what a step fills lies together
};

}  // namespace

RecurrentSeq2Seq::Layers RecurrentSeq2Seq::layers(const char* name, const RecurrentOptions& options,
                                                  const Generator& generator) {
  const auto caller = [](auto& rnn) -> Layers {
    return [&rnn](const Tensor& x, const RecurrentState& state,
                  const std::vector<int64_t>& lengths) { return rnn(x, state, lengths); };
  };
  return options_.cell == RecurrentCell::gru ? caller(child<GRU>(name, options, generator))
                                             : caller(child<LSTM>(name, options, generator));
}

RecurrentOptions RecurrentSeq2Seq::recurrent_options(int64_t input_size, bool bidirectional) const {
  return {.input_size = input_size,
          .hidden_size = options_.d_model,
          .num_layers = options_.num_layers,
          .batch_first = true,
          .dropout = options_.dropout,
          .bidirectional = bidirectional};
}

RecurrentSeq2Seq::RecurrentSeq2Seq(const Options& options, Generator generator)
    : options_(checked(options)),
      embedding_(child<weft::Embedding>("embedding", options.vocabulary, options.d_model, generator,
                                        kPad)),
      dropout_(child<weft::Dropout>("dropout", options.dropout, generator)),
      encoder_(layers("encoder", recurrent_options(options.d_model, true), generator)),
      decoder_(layers(
          "decoder",
          recurrent_options(options.attention == RecurrentAttention::bahdanau ? 3 * options.d_model
                                                                              : options.d_model,
                            false),
          generator)),
      bridge_hidden_(
          child<weft::Linear>("bridge_hidden", 2 * options.d_model, options.d_model, generator)),
      combine_(child<weft::Linear>("combine", 3 * options.d_model, options.d_model, generator)),
      output_(child<weft::Linear>("output", options.d_model, options.vocabulary, generator)) {
  const int64_t d = options.d_model;
  if (options.cell == RecurrentCell::lstm)
    bridge_cell_ = &child<weft::Linear>("bridge_cell", 2 * d, d, generator);
  if (options.attention == RecurrentAttention::luong)
    luong_ = &child<weft::LuongAttention>("attention", d, 2 * d, generator);
  else
    bahdanau_ = &child<weft::BahdanauAttention>("attention", d, 2 * d, d, generator);
}

Tensor RecurrentSeq2Seq::embed(const Tensor& ids) {
  return dropout_(embedding_(ids));  // [B, T, D]
}

RecurrentSeq2Seq::Reading RecurrentSeq2Seq::encode(const PaddedIds& source) {
  const RecurrentResult read = encoder_(embed(to_tensor(source)), {}, source.lengths);
  return {read.output, bahdanau_ ? bahdanau_->project_memory(read.output) : Tensor(),
          source.lengths, bridge(read.state)};
}

// The decoder begins where both directions of the encoder ended, layer by layer.
RecurrentState RecurrentSeq2Seq::bridge(const RecurrentState& encoder) {
  const auto both = [&](const Tensor& state) {  // [2 layers, B, D] -> [layers, B, 2 D]
    const int64_t rows = state.size(1), d = options_.d_model;
    const Tensor by_layer = reshape(state, {options_.num_layers, 2, rows, d});
    return reshape(transpose(by_layer, 1, 2), {options_.num_layers, rows, 2 * d});
  };
  return {tanh(bridge_hidden_(both(encoder.hidden))),
          bridge_cell_ ? (*bridge_cell_)(both(encoder.cell)) : Tensor()};
}

// Reads ids [B, T] from where the decoder stands, and moves it on.
Tensor RecurrentSeq2Seq::decode(const Tensor& ids, Reading& at, Tensor* weights) {
  const Tensor x = embed(ids);
  return luong_ ? decode_all(x, at, weights) : decode_by_step(x, at, weights);
}

Tensor RecurrentSeq2Seq::decode_all(const Tensor& x, Reading& at, Tensor* weights) {
  const RecurrentResult read = decoder_(x, at.state, {});
  at.state = read.state;
  const AttentionResult found = (*luong_)(
      read.output, at.memory, attention_call(at.lengths, at.memory.size(1), weights != nullptr));
  if (weights) *weights = found.weights;
  return combine(found.output, read.output);
}

Tensor RecurrentSeq2Seq::decode_by_step(const Tensor& x, Reading& at, Tensor* weights) {
  const AttentionCall call = attention_call(at.lengths, at.memory.size(1), weights != nullptr);
  const Tensors inputs = split(x, 1, 1);  // [B, 1, D]
  StepWeights traced(x.size(0), weights ? x.size(1) : 0, at.memory.size(1), x.dtype());
  Tensors contexts, outputs;
  for (size_t t = 0; t < inputs.size(); ++t) {
    const Tensor query = transpose(slice(at.state.hidden, 0, -1), 0, 1);  // the last layer's
    const AttentionResult found = (*bahdanau_)(query, at.projected, at.memory, call);
    contexts.push_back(weights ? traced.context(static_cast<int64_t>(t), found, at.memory)
                               : found.output);
    const RecurrentResult read = decoder_(cat({inputs[t], contexts[t]}, -1), at.state, {});
    at.state = read.state;
    outputs.push_back(read.output);
  }
  if (weights) *weights = traced.all();
  return combine(cat(contexts, 1), cat(outputs, 1));
}

Tensor RecurrentSeq2Seq::combine(const Tensor& context, const Tensor& hidden) {
  return dropout_(tanh(combine_(cat({context, hidden}, -1))));  // [B, T, D]
}

Tensor RecurrentSeq2Seq::forward(const PaddedIds& source, const PaddedIds& target,
                                 Tensor* weights) {
  Reading at = encode(source);
  return decode(slice(to_tensor(target), 1, 0, -1), at, weights);
}

Prediction RecurrentSeq2Seq::predict(const PaddedIds& source, const PaddedIds& target) {
  return predicted((*this)(source, target));
}

Prediction RecurrentSeq2Seq::predicted(const Tensor& hidden) const {
  return {hidden, output_.weight, output_.bias};
}

class RecurrentSeq2Seq::State : public Decoding {
 public:
  State(RecurrentSeq2Seq& model, const PaddedIds& source)
      : model_(model), at_(model.encode(source)) {}

  Tensor next_log_probs(const Tensor& ids) override {
    const Tensor hidden = model_.decode(ids, at_, nullptr);  // [rows, 1, D]
    return log_softmax(model_.output_(select(hidden, 1, 0)), -1);
  }

  void keep(const Ids& rows) override {
    const Tensor index = from_vector(rows, {std::ssize(rows)});
    const auto keep_in = [&](Tensor& t, int dim) {
      if (t.defined()) t = index_select(t, dim, index);
    };
    keep_in(at_.memory, 0);
    keep_in(at_.projected, 0);
    for (Tensor* t : at_.state.tensors()) keep_in(*t, 1);
    std::vector<int64_t> lengths;
    for (const int64_t row : rows) lengths.push_back(at_.lengths[static_cast<size_t>(row)]);
    at_.lengths = std::move(lengths);
  }

 private:
  RecurrentSeq2Seq& model_;
  Reading at_;
};

std::unique_ptr<Decoding> RecurrentSeq2Seq::start(const PaddedIds& source) {
  return std::make_unique<State>(*this, source);
}

AttentionTrace RecurrentSeq2Seq::trace(const PaddedIds& source, const PaddedIds& target,
                                       Tensor* loss) {
  Tensor weights;
  const Tensor hidden = (*this)(source, target, &weights);
  if (loss) *loss = loss_of(predicted(hidden), target, 0);
  AttentionTrace trace;
  trace.cross = {weights};
  return trace;
}

}  // namespace weft
