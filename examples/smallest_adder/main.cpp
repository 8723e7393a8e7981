// Sums of two numbers of ten digits by an encoder-decoder of 46 parameters: how few are enough?
// Numbers are written from their last digit on, with a zero at the end, so that the digits of a
// place stand 12 apart: 12 + 999 is
//   21000000000+99900000000 -> 11010000000
//   smallest_adder train --task sums --model-dir adder
//   smallest_adder leaderboard --tasks sums --models adder --seeds 20 --out adders
#include <weft/seq2seq.h>
#include <weft/weft.h>

#include <cmath>
#include <numbers>

using namespace weft;

namespace {

constexpr int64_t kPlaces = 12;  // ten digits, a zero, and what ends a number

std::string written(int64_t number) {
  std::string digits(kPlaces - 1, '0');
  for (char& digit : digits) {
    digit = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  return digits;
}

int64_t read(const std::string& digits) {
  return std::stoll(std::string(digits.rbegin(), digits.rend()));
}

std::string draw_sum(Generator& generator) {
  const int64_t a = generator.below(10'000'000'000), b = generator.below(10'000'000'000);
  return written(a) + '+' + written(b);
}

std::string sum_of(const std::string& source) {
  return written(read(source.substr(0, kPlaces - 1)) + read(source.substr(kPlaces)));
}

// The hands of a clock of 12 hours at first, first + 1, ...: [length, 2].
Tensor clock(int64_t first, int64_t length, DType dtype) {
  std::vector<double> hands;
  for (int64_t t = first; t < first + length; ++t) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(t) / kPlaces;
    hands.push_back(std::cos(angle));
    hands.push_back(std::sin(angle));
  }
  return to(from_vector(hands, {length, 2}), dtype);
}

// Which hours a step looks at: the nearer to its own hour, turned by an angle that is learned, the
// more. Turn and sharpness of each head are two numbers, the shares of the step's hand and of the
// one a quarter ahead of it.
class Look : public Layer<Look> {
 public:
  Look(int64_t heads, Generator generator)
      : turn(parameter("turn", tensor({0.3, 0}) + 0.1 * randn({heads, 2}, generator))) {}

  // Of steps first, first + 1, ..., `length` of them, at values [B, Tk, D] -> [B, length, heads D].
  AttentionResult forward(const Tensor& values, const PaddedIds& source, int64_t first,
                          int64_t length) {
    const int64_t rows = values.size(0), keys = values.size(1), heads = turn.size(0);
    const Tensor own = reshape(select(turn, 1, 0), {heads, 1, 1});
    const Tensor quarter = reshape(select(turn, 1, 1), {heads, 1, 1});
    const DType dtype = values.dtype();
    const Tensor q =
        own * clock(first, length, dtype) + quarter * clock(first + kPlaces / 4, length, dtype);
    const AttentionWithWeights found = attention_with_weights(
        expand(q, {rows, heads, length, 2}), expand(clock(0, keys, dtype), {rows, heads, keys, 2}),
        expand(unsqueeze(values, 1), {rows, heads, keys, values.size(2)}),
        {.mask = Mask::padding(source.lengths, keys).resolve(length, keys).mask, .scale = kPlaces});
    return {merge_heads(found.output), found.weights};
  }

  Tensor turn;  // [heads, 2]
};

// Encoder: each place takes the mean of those that it looks at. Decoder: each head fetches such a
// mean, and a layer of a few units makes the next digit of them and of the digit before.
class Adder : public Layer<Adder, Seq2SeqModel> {
 public:
  Adder(const ModelConfig& c, const Generator& generator)
      : embedding_(child<Embedding>("embedding", c.vocabulary, c.d_model, generator)),
        encoder_(child<Look>("encoder", 1, generator)),
        decoder_(child<Look>("decoder", c.heads, generator)),
        hidden_(child<Linear>("hidden", (c.heads + 1) * c.d_model, c.ffn, generator)),
        state_(child<Linear>("state", c.ffn, c.d_model, generator, false)),
        bias_(parameter("bias", zeros({c.vocabulary}))) {}

  Prediction predict(const PaddedIds& source, const PaddedIds& target) override {
    return predicted(decode(encode(source), source, slice(to_tensor(target), 1, 0, -1), 0));
  }

  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target, Tensor* loss) override {
    const AttentionResult memory = encode(source);
    const AttentionResult made = decode(memory, source, slice(to_tensor(target), 1, 0, -1), 0);
    if (loss) *loss = loss_of(predicted(made), target, 0);
    AttentionTrace trace;
    trace.encoder = {memory.weights};
    trace.cross = {made.weights};
    return trace;
  }

  std::unique_ptr<Decoding> start(const PaddedIds& source) override {
    return std::make_unique<State>(*this, source);
  }

 private:
  AttentionResult encode(const PaddedIds& source) {
    return encoder_(embedding_(to_tensor(source)), source, 0, source.columns);
  }

  AttentionResult decode(const AttentionResult& memory, const PaddedIds& source, const Tensor& ids,
                         int64_t first) {
    const AttentionResult found = decoder_(memory.output, source, first, ids.size(1));
    const Tensor seen = cat({found.output, embedding_(ids)}, -1);
    return {state_(tanh(hidden_(seen))), found.weights};
  }

  Prediction predicted(const AttentionResult& made) const {
    return {made.output, embedding_.weight, bias_};
  }

  struct State : Decoding {
    State(Adder& m, const PaddedIds& s) : model(m), source(s), memory(m.encode(s)) {}
    Tensor next_log_probs(const Tensor& ids) override {
      const auto [hidden, weight, bias] =
          model.predicted(model.decode(memory, source, ids, place++));
      return log_softmax(linear(select(hidden, 1, 0), weight, bias), -1);
    }
    void keep(const Ids& rows) override {
      source = select_rows(source, rows);
      memory.output = index_select(memory.output, 0, from_vector(rows, {std::ssize(rows)}));
    }

    Adder& model;
    PaddedIds source;
    AttentionResult memory;
    int64_t place = 0;
  };

  Embedding& embedding_;  // its table is the output layer's, too
  Look &encoder_, &decoder_;
  Linear &hidden_, &state_;
  Tensor bias_;
};

const Settings kRecipe{
    {"model", "adder"},       {"d-model", "1"},           {"heads", "1"},     {"ffn", "3"},
    {"lr", "0.05"},           {"schedule", "linear"},     {"steps", "10000"}, {"max-tokens", "768"},
    {"label-smoothing", "0"}, {"validate-every", "1000"}, {"patience", "10"}};

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.add_model(
      {.name = "adder",
       .help = "adds by looks at a clock",
       .make = [](const ModelConfig& c,
                  const Generator& generator) { return std::make_unique<Adder>(c, generator); },
       .reads = {"d-model", "heads", "ffn"}});
  program.add_task(drawn_task("sums", "sums of numbers of ten digits, from the last digit on",
                              draw_sum, sum_of, kRecipe,
                              {.train = 100000, .valid = 1000, .test = 10000}));
  return program.run(argc, argv);
}
