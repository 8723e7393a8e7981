#include <fmt/format.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/divergence.h>
#include <weft/optim/adam.h>
#include <weft/optim/clip.h>
#include <weft/seq2seq/lab/experiments/detail/one_attention.h>
#include <weft/seq2seq/lab/experiments/explanation.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

namespace weft {
namespace {

constexpr int64_t kSentences = 64;  // of a batch

// The weights that a model is given for letters; none of its own are used then.
using Guide = std::function<Tensor(const Letters&)>;

struct Trained {
  std::shared_ptr<OneAttention> model;
  Guide guide;

  OneAttentionResult operator()(const Letters& letters) const {
    return (*model)(letters, guide ? guide(letters) : Tensor());
  }
};

using Loss = std::function<Tensor(const Letters&, const OneAttentionResult&)>;

Tensor prediction_loss(const Letters& letters, const OneAttentionResult& found) {
  return cross_entropy(found.logits, letters.written);
}

Tensor uniform_weights(const Letters& letters) {
  const int64_t n = letters.length();
  return full({letters.source.size(0), 1, n, n}, 1. / static_cast<double>(n));
}

Guide weights_of(const Trained& model) {
  return [model](const Letters& letters) {
    const NoGrad no_grad;
    return model(letters).weights;
  };
}

Trained train(OneAttention::Sees sees, const Guide& guide, const Loss& loss, int64_t updates,
              uint64_t seed) {
  Generator generator(seed);
  const Trained trained{std::make_shared<OneAttention>(sees, generator), guide};
  Adam adam(trained.model->named_parameters(), {.lr = 5e-3});
  for (int64_t i = 0; i < updates; ++i) {
    const int64_t length = kFewestLetters + generator.below(kMostLetters - kFewestLetters + 1);
    const Letters letters = draw_letters(kSentences, length, generator);
    adam.set_lr_factor(1 - static_cast<double>(i) / static_cast<double>(updates));
    loss(letters, trained(letters)).backward();
    adam.step(clip_factor(grad_norm(adam.parameters()), 1));
    adam.zero_grad();
  }
  return trained;
}

Loss adversarial_loss(const Trained& base, double lambda) {
  return [base, lambda](const Letters& letters, const OneAttentionResult& found) {
    const OneAttentionResult wanted = [&] {
      const NoGrad no_grad;
      return base(letters);
    }();
    return mean(total_variation(softmax(found.logits, -1), softmax(wanted.logits, -1))) -
           mean(jensen_shannon(found.weights, wanted.weights)) * lambda;
  };
}

std::string adversary_name(double lambda) { return fmt::format("adversary, lambda {}", lambda); }

enum Number { kAccuracy, kErrorRate, kToUniform, kToBase, kVariation, kNumbers };
using Numbers = std::array<double, kNumbers>;

double error_rate(const Letters& letters, const Tensor& weights) {
  const int64_t n = letters.length();
  std::vector<Link> gold;
  for (int64_t t = 0; t < n; ++t) gold.push_back({n - 1 - t, t});
  AlignmentCounts counts;
  for (int64_t b = 0; b < weights.size(0); ++b) {
    const AttentionMap map{n, n, select(weights, 0, b).to_vector<double>()};
    counts.add(strongest_links(map, n, n, ReadAt::kProducingStep), gold, gold);
  }
  return counts.error_rate();
}

// On as many sentences of each length, the same for all models.
Numbers measure(const Trained& model, const Trained& base) {
  const NoGrad no_grad;
  Generator generator(0x1e77e55);
  Numbers numbers{};
  for (int64_t n = kFewestLetters; n <= kMostLetters; ++n) {
    const Letters letters = draw_letters(2 * kSentences, n, generator);
    const OneAttentionResult found = model(letters), wanted = base(letters);
    const Tensor right = eq(argmax(found.logits, -1), letters.written);
    const Numbers here{
        mean(to(right, kFloat32)).item(), error_rate(letters, found.weights),
        mean(jensen_shannon(found.weights, uniform_weights(letters))).item(),
        mean(jensen_shannon(found.weights, wanted.weights)).item(),
        mean(total_variation(softmax(found.logits, -1), softmax(wanted.logits, -1))).item()};
    for (size_t i = 0; i < kNumbers; ++i)
      numbers[i] += here[i] / static_cast<double>(kMostLetters - kFewestLetters + 1);
  }
  return numbers;
}

// A row of the table: a model of each seed.
struct ControlRow {
  std::string model, weights;
  std::vector<Numbers> seeds;

  double mean_of(Number n) const {
    double sum = 0;
    for (const Numbers& numbers : seeds) sum += numbers[n];
    return sum / static_cast<double>(seeds.size());
  }
  double deviation(Number n) const {
    double sum = 0;
    for (const Numbers& numbers : seeds) sum += std::pow(numbers[n] - mean_of(n), 2);
    return std::sqrt(sum / static_cast<double>(seeds.size() - 1));
  }
};

class Controls {
 public:
  explicit Controls(const ExplanationOptions& options) : o_(options) {
    for (int64_t s = 0; s < o_.seeds; ++s)
      bases_.push_back(train(kContext, {}, prediction_loss, o_.updates, seed_of(s)));
    for (int64_t s = 0; s < o_.seeds; ++s) add_seed(s);
  }

  const std::vector<ControlRow>& rows() const { return rows_; }

 private:
  static constexpr auto kContext = OneAttention::Sees::context, kToken = OneAttention::Sees::token;

  // The base model of the next seed is another model of the same kind.
  void add_seed(int64_t s) {
    const Trained& base = bases_[static_cast<size_t>(s)];
    const auto of = [&](OneAttention::Sees sees, const Guide& guide) {
      return train(sees, guide, prediction_loss, o_.updates, seed_of(s));
    };
    add("recurrent", "learned", base, base);
    add("recurrent", "uniform", of(kContext, uniform_weights), base);
    add("recurrent", "another seed's", bases_[static_cast<size_t>((s + 1) % o_.seeds)], base);
    Trained adversary;
    for (const double lambda : o_.lambdas) {
      adversary =
          train(kContext, {}, adversarial_loss(base, lambda), o_.updates, seed_of(s + o_.seeds));
      add("recurrent", adversary_name(lambda), adversary, base);
    }
    add("token-wise", "uniform", of(kToken, uniform_weights), base);
    add("token-wise", "learned", of(kToken, {}), base);
    add("token-wise", "base's", of(kToken, weights_of(base)), base);
    add("token-wise", "adversary's", of(kToken, weights_of(adversary)), base);
  }

  void add(const std::string& model, const std::string& weights, const Trained& trained,
           const Trained& base) {
    auto row = std::find_if(rows_.begin(), rows_.end(), [&](const ControlRow& r) {
      return r.model == model && r.weights == weights;
    });
    if (row == rows_.end()) row = rows_.insert(row, ControlRow{model, weights, {}});
    row->seeds.push_back(measure(trained, base));
  }

  uint64_t seed_of(int64_t s) const { return static_cast<uint64_t>(o_.seed + s); }

  const ExplanationOptions& o_;
  std::vector<Trained> bases_;
  std::vector<ControlRow> rows_;
};

// Of the adversary that went furthest; it kept the predictions if less than 0.05 of them moved.
std::string verdict(const ExperimentTable& table, const std::string& adversary) {
  const auto number = [&](const char* model, const std::string& weights, const char* column) {
    return table.at({model, weights}, column);
  };
  const double base = number("recurrent", "learned", "accuracy %"),
               uniform = number("recurrent", "uniform", "accuracy %"),
               guide = number("token-wise", "base's", "accuracy %"),
               no_guide = number("token-wise", "uniform", "accuracy %");
  const double jsd = number("recurrent", adversary, "JSD to base"),
               tvd = number("recurrent", adversary, "TVD to base");
  return fmt::format(
      "Attention is {} here: {:.1f} % of letters with learned weights, {:.1f} % with uniform ones. "
      "As a guide to a token-wise model the base's weights {} ({:.1f} % against {:.1f} % uniform). "
      "An adversary's predictions differ by a TVD of {:.3f} at a JSD of {:.3f} (seeds: {:.3f}) "
      "between weights, and its weights guide the token-wise model to {:.1f} %: so far from the "
      "base, weights {}.",
      base - uniform > 1 ? "needed" : "not needed", base, uniform,
      guide - no_guide > 1 ? "hold the alignment" : "hold no more than uniform ones", guide,
      no_guide, tvd, jsd, number("recurrent", "another seed's", "JSD to base"),
      number("token-wise", "adversary's", "accuracy %"),
      tvd < 0.05 ? "give the same predictions" : "do not give the same predictions");
}

}  // namespace

ExperimentResult explanation_experiment(const ExplanationOptions& o) {
  check(o.seeds > 1, "explanation: seeds must be at least 2; got {}", o.seeds);
  check(!o.lambdas.empty(), "explanation: needs a lambda");
  ExperimentResult result;
  result.table.columns = {"model", "weights",        "accuracy %",  "deviation",
                          "AER %", "JSD to uniform", "JSD to base", "TVD to base"};
  Plot::Series adversaries{"adversary, by lambda", {}}, seeds{"another seed", {}};
  const Controls controls(o);
  for (const ControlRow& row : controls.rows()) {
    const double tvd = row.mean_of(kVariation), jsd = row.mean_of(kToBase);
    result.table.rows.push_back({row.model, row.weights, 100 * row.mean_of(kAccuracy),
                                 100 * row.deviation(kAccuracy), 100 * row.mean_of(kErrorRate),
                                 row.mean_of(kToUniform), jsd, tvd});
    if (row.weights.starts_with("adversary, ")) adversaries.points.push_back({tvd, jsd});
    if (row.weights == "another seed's") seeds.points.push_back({tvd, jsd});
  }
  result.plot = {.title = "Predictions kept, weights changed",
                 .x_label = "TVD of predictions to the base model's",
                 .y_label = "JSD of weights to the base model's, nats",
                 .series = {adversaries, seeds}};
  result.verdict = verdict(result.table, adversary_name(o.lambdas.back()));
  return result;
}

}  // namespace weft
