// The recurrent translation model: each kind of cell with each kind of attention.
#include <weft/autograd/autograd.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/check_module.h>
#include <weft/optim/adam.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/models/recurrent_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>

#include <memory>

using namespace weft;

namespace {

using Options = RecurrentSeq2SeqOptions;

std::vector<Options> all_kinds(const Options& o) {
  std::vector<Options> kinds;
  for (const RecurrentCell cell : {RecurrentCell::gru, RecurrentCell::lstm})
    for (const RecurrentAttention attention :
         {RecurrentAttention::luong, RecurrentAttention::bahdanau}) {
      Options kind = o;
      kind.cell = cell;
      kind.attention = attention;
      kinds.push_back(kind);
    }
  return kinds;
}

const std::vector<Options> kSmall = all_kinds({.vocabulary = 12, .d_model = 6, .num_layers = 2});

// In float64, so that two ways of computing a number agree to many digits.
std::unique_ptr<RecurrentSeq2Seq> make_model(const Options& options) {
  auto model = std::make_unique<RecurrentSeq2Seq>(options, Generator(3));
  model->to(kFloat64);
  return model;
}

// Sources and targets of quite different lengths.
const std::vector<Ids> kSources{{4, 5, 3}, {7, 3}, {5, 6, 7, 8, 3}, {11, 10, 3}};
const std::vector<Ids> kTargets{{2, 6, 3}, {2, 8, 9, 10, 11, 4, 3}, {2, 4, 3}, {2, 5, 6, 7, 3}};

double log_prob(RecurrentSeq2Seq& model, const Ids& source, const Ids& target) {
  const NoGrad no_grad;
  const double mean = model.loss(pad_ids({&source, 1}), pad_ids({&target, 1}), 0).item();
  return -mean * static_cast<double>(std::ssize(target) - 1);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

}  // namespace

TEST_CASE("a recurrent model's steps one by one give its loss of all at once") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  const NoGrad no_grad;
  const PaddedIds target = pad_ids(kTargets);
  const auto decoding = model->start(pad_ids(kSources));
  double total = 0;
  int64_t count = 0;
  for (int64_t t = 0; t + 1 < target.columns; ++t) {
    const Tensor ids = to_tensor(target);
    const Tensor log_probs = decoding->next_log_probs(slice(ids, 1, t, t + 1));
    REQUIRE(log_probs.shape() == Shape{4, 12});
    for (int64_t row = 0; row < 4; ++row) {
      const auto next = static_cast<int64_t>(ids.at({row, t + 1}));
      if (next == kPad) continue;
      total -= log_probs.at({row, next});
      ++count;
    }
  }
  CHECK(model->loss(pad_ids(kSources), target, 0).item() ==
        Approx(total / static_cast<double>(count)).epsilon(1e-12));
}

TEST_CASE("a recurrent model's rows are those that each would be alone") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  double total = 0;
  for (size_t i = 0; i < kSources.size(); ++i) total += log_prob(*model, kSources[i], kTargets[i]);
  CHECK(model->loss(pad_ids(kSources), pad_ids(kTargets), 0).item() ==
        Approx(-total / 14).epsilon(1e-12));
}

TEST_CASE("what stands in the padding changes neither loss nor gradients of a recurrent model") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  const auto derivatives = [&](int64_t junk) {
    PaddedIds source = pad_ids(kSources);
    for (int64_t& id : source.ids)
      if (id == kPad) id = junk;
    const Tensor loss = model->loss(source, pad_ids(kTargets), 0.1);
    Tensors found = grad({loss}, model->parameters());
    found.push_back(loss);
    return found;
  };
  const Tensors want = derivatives(kPad), found = derivatives(9);
  for (size_t i = 0; i < want.size(); ++i)
    CHECK(found[i].to_vector<double>() == want[i].to_vector<double>());
}

TEST_CASE("gradients of a recurrent model are right") {
  Options options = GENERATE(from_range(all_kinds({.vocabulary = 6, .d_model = 2})));
  options.num_layers = GENERATE(1, 2);
  options.dropout = options.num_layers == 2 ? 0.3 : 0;
  const std::vector<Ids> sources{{4, 5, 3}, {5, 3}}, targets{{2, 5, 3}, {2, 4, 5, 3}};
  const ModuleReport report = check_module(
      [&] { return RecurrentSeq2Seq(options, Generator(1)); }, {},
      [&](auto& m, const Tensors&) { return m.loss(pad_ids(sources), pad_ids(targets), 0.1); });
  CHECK(report.failures == std::vector<std::string>{});
  CHECK(report.gradients[0] > 100);
  CHECK(report.gradients[1] > 0);
}

TEST_CASE("traced weights of a recurrent model are distributions over the source") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  Tensor loss;
  const AttentionTrace trace = model->trace(pad_ids(kSources), pad_ids(kTargets), &loss);
  CHECK(trace.encoder.empty());
  CHECK(trace.decoder.empty());
  REQUIRE(trace.cross.size() == 1);
  const Tensor a = trace.cross[0];
  REQUIRE(a.shape() == Shape{4, 1, 6, 5});
  CHECK(a.requires_grad());
  CHECK(largest_difference(sum(a, {-1}), ones({4, 1, 6}, kFloat64)) < 1e-15);
  CHECK(max(abs(slice(select(a, 0, 1).detach(), -1, 2))).item() == 0);  // the second has 2 words
  const Tensor same = model->loss(pad_ids(kSources), pad_ids(kTargets), 0);
  CHECK(loss.item() == Approx(same.item()).epsilon(1e-14));
  const Tensors want = grad({same}, model->parameters()), found = grad({loss}, model->parameters());
  for (size_t i = 0; i < want.size(); ++i) CHECK(largest_difference(found[i], want[i]) < 1e-13);
  const NoGrad no_grad;
  const Tensor plain = model->trace(pad_ids(kSources), pad_ids(kTargets)).cross[0];
  CHECK_FALSE(plain.requires_grad());
  CHECK(largest_difference(a, plain) == 0);
}

TEST_CASE("the loss of a recurrent model has the gradient by its weights that moving one shows") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  const PaddedIds source = pad_ids(kSources), target = pad_ids(kTargets);
  Tensor loss;
  const Tensor a = model->trace(source, target, &loss).cross[0];
  const Tensor slope = grad(loss, a);
  // A weight moved by h moves its context by h times what it weighs.
  const auto moved_loss = [&](int64_t row, int64_t step, int64_t key, double h) {
    int64_t now = 0;
    HookHandle hook = model->find_module("attention").register_forward_hook([&](ModuleCall& call) {
      Tensor& context = *call.outputs[0];  // [B, steps of this call, D]
      const Tensor memory = *call.inputs.back();
      Tensor at = zeros({context.size(0), context.size(1), 1}, kFloat64);
      if (step >= now && step < now + context.size(1))
        at.mutable_data<double>()[row * context.size(1) + step - now] = h;
      now += context.size(1);
      context = context + at * slice(memory, 1, key, key + 1);
    });
    const NoGrad no_grad;
    const double found = model->loss(source, target, 0).item();
    hook.remove();
    return found;
  };
  for (const auto [row, step, key] :
       std::vector<std::array<int64_t, 3>>{{1, 0, 1}, {1, 3, 0}, {1, 5, 1}, {2, 0, 4}, {3, 1, 2}}) {
    const double h = 1e-5;
    CHECK(slope.at({row, 0, step, key}) ==
          Approx((moved_loss(row, step, key, h) - moved_loss(row, step, key, -h)) / (2 * h))
              .margin(1e-9));
  }
}

TEST_CASE("beam search with a recurrent model finds what the model says it does") {
  const auto model = make_model(GENERATE(from_range(kSmall)));
  model->eval();
  const auto found = decode(*model, kSources, BeamSearch({.beam = 4}));
  REQUIRE(found.size() == kSources.size());
  for (size_t i = 0; i < found.size(); ++i) {
    REQUIRE(found[i].size() >= 4);
    for (const Hypothesis& h : found[i]) {
      if (!h.ended) continue;
      Ids target{kBegin};
      target.insert(target.end(), h.ids.begin(), h.ids.end());
      target.push_back(kEnd);
      CHECK(h.log_prob == Approx(log_prob(*model, kSources[i], target)).epsilon(1e-5));
    }
  }
}

TEST_CASE("a recurrent model learns a few sentences by heart") {
  Options options = GENERATE(from_range(all_kinds({.vocabulary = 12, .d_model = 24})));
  RecurrentSeq2Seq model(options, Generator(3));
  Adam adam(model.named_parameters(), {.lr = 1e-2});
  for (int step = 0; step < 60; ++step) {
    model.loss(pad_ids(kSources), pad_ids(kTargets), 0).backward();
    adam.step();
    adam.zero_grad();
  }
  model.eval();
  const auto found = decode(model, kSources, BeamSearch());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i][0].ended);
    CHECK(found[i][0].ids == Ids(kTargets[i].begin() + 1, kTargets[i].end() - 1));
  }
}

TEST_CASE("a recurrent model says which option is wrong") {
  const auto message = [](const Options& options) {
    return message_of([&] { RecurrentSeq2Seq(options, Generator(1)); });
  };
  CHECK(message({.vocabulary = 3}) ==
        "recurrent seq2seq: vocabulary must be above 3, the largest special id; got 3");
  CHECK(message({.vocabulary = 9, .d_model = 0}) ==
        "recurrent seq2seq: d_model must be positive; got 0");
  CHECK(message({.vocabulary = 9, .num_layers = -1}) ==
        "recurrent seq2seq: num_layers must be positive; got -1");
  CHECK(message({.vocabulary = 9, .dropout = 1}) ==
        "recurrent seq2seq: dropout must be in [0, 1); got 1");
}
