// GRU and LSTM and their cells as PyTorch's.
#include <weft/nn/recurrent/recurrent.h>
#include <weft/tests/nn/torch_case.h>

using namespace weft;

namespace {

RecurrentOptions options_of(const TorchCase& c) {
  return {.input_size = c.get<int64_t>("input_size", 0),
          .hidden_size = c.get<int64_t>("hidden_size", 0),
          .num_layers = c.get<int64_t>("num_layers", 1),
          .bias = c.get("bias", true),
          .batch_first = c.get("batch_first", false),
          .bidirectional = c.get("bidirectional", false)};
}

Tensor at(const TensorsByName& in, const char* name) {
  return in.count(name) ? in.at(name) : Tensor();
}

RecurrentState state_of(const TensorsByName& in) { return {at(in, "hidden"), at(in, "cell")}; }

TensorsByName named(const RecurrentState& s) {
  TensorsByName found{{"hidden", s.hidden}};
  if (s.cell.defined()) found["cell"] = s.cell;
  return found;
}

template <class L>
TorchTally check_layer(const TorchCase& c) {
  L layer(options_of(c), Generator(1));
  const auto lengths = c.get<std::vector<int64_t>>("lengths", {});
  return c.check(layer, [&](const TensorsByName& in) {
    const RecurrentResult r = layer(in.at("x"), state_of(in), lengths);
    TensorsByName found = named(r.state);
    found["output"] = r.output;
    return found;
  });
}

TorchTally check_gru_cell(const TorchCase& c) {
  GRUCell cell(c.get<int64_t>("input_size", 0), c.get<int64_t>("hidden_size", 0), Generator(1),
               c.get("bias", true));
  return c.check(cell, [&](const TensorsByName& in) {
    return TensorsByName{{"hidden", cell(in.at("x"), at(in, "hidden"))}};
  });
}

TorchTally check_lstm_cell(const TorchCase& c) {
  LSTMCell cell(c.get<int64_t>("input_size", 0), c.get<int64_t>("hidden_size", 0), Generator(1),
                c.get("bias", true));
  return c.check(cell,
                 [&](const TensorsByName& in) { return named(cell(in.at("x"), state_of(in))); });
}

TorchTally all_of(const char* kind, TorchTally (*check)(const TorchCase&)) {
  TorchTally all;
  for (const TorchCase& c : torch_cases("recurrent", kind)) all += check(c);
  return all;
}

}  // namespace

TorchLayers torch_recurrent_layers() {
  return {{"GRU", [] { return all_of("GRU", check_layer<GRU>); }},
          {"GRUCell", [] { return all_of("GRUCell", check_gru_cell); }},
          {"LSTM", [] { return all_of("LSTM", check_layer<LSTM>); }},
          {"LSTMCell", [] { return all_of("LSTMCell", check_lstm_cell); }}};
}
