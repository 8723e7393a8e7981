#include <fmt/ranges.h>
#include <weft/autograd/graph/module_path.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/inspect/anomaly.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/divergence.h>

#include <cmath>
#include <vector>

namespace weft {
namespace {

// Even embeddings of variance 1 that are tied to the output begin below this.
constexpr double kMostOfGuessing = 100;

// The largest magnitude among the results of ops, beside single numbers: the loss is known.
class Largest : public Observer {
 public:
  void op_ran(const Op& op, std::span<const Tensor> outputs, std::span<const Tensor>) override {
    for (const Tensor& y : outputs) {
      if (!y.defined() || y.numel() < 2 || !is_floating(y.dtype())) continue;
      for (const double value : y.to_vector<double>()) {
        if (std::abs(value) <= magnitude_) continue;
        magnitude_ = std::abs(value);
        op_ = op.name;
        path_ = module_path();
      }
    }
  }

  std::string describe() const {
    return fmt::format("the largest result is {:.3g}, of {}{}{}", magnitude_, op_,
                       path_.empty() ? "" : " in ", path_);
  }

 private:
  double magnitude_ = 0;
  std::string op_ = "no op", path_;
};

}  // namespace

std::string fault_of_loss(double loss, int64_t vocabulary) {
  if (!std::isfinite(loss)) return fmt::format("the loss is {}", std::isnan(loss) ? NAN : loss);
  const double guessing = std::log(static_cast<double>(vocabulary));
  if (loss <= kMostOfGuessing * guessing) return "";
  return fmt::format("the loss is {:.3g}, where guessing costs {:.3g}", loss, guessing);
}

std::string fault_of_update(double loss, double gradient_norm, int64_t vocabulary) {
  const std::string fault = fault_of_loss(loss, vocabulary);
  if (!fault.empty() || std::isfinite(gradient_norm)) return fault;
  return fmt::format("the gradient's norm is {}", std::isnan(gradient_norm) ? NAN : gradient_norm);
}

std::string cause_of_fault(const std::function<void()>& pass) {
  const Largest largest;
  try {
    const DetectAnomaly anomaly;
    pass();
  } catch (const Error& e) {
    const std::string message = e.what();
    return message.substr(0, message.find('\n'));  // the calls that follow are for programmers
  }
  return largest.describe();
}

std::string advice_on_divergence(const TrainConfig& c, bool can_go_on) {
  std::vector<std::string> anew;
  const std::string rate = fmt::format("a lower --lr than {:g}", c.learning_rate.value());
  if (!can_go_on) anew.push_back(rate);
  if (c.clip == 0) anew.emplace_back("--clip 1");
  if (c.clip > 1) anew.push_back(fmt::format("a smaller --clip than {:g}", c.clip.value()));
  if (c.warmup < TrainConfig().warmup)
    anew.push_back(fmt::format("a longer --warmup than {}", c.warmup.value()));
  std::string advice = can_go_on ? "go on with --resume and " + rate : "";
  if (!anew.empty())
    advice += fmt::format("{}begin anew with {}", can_go_on ? ", or " : "", fmt::join(anew, ", "));
  return advice;
}

}  // namespace weft
