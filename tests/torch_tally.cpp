// How numbers of weft and PyTorch are compared.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/core/cpu.h>
#include <weft/tests/catch.h>
#include <weft/tests/torch_tally.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace weft;

namespace {

// PyTorch's own float32 error of one small tensor depends on the machine that made the fixtures,
// and is 0 by luck here and there. Below this, 16 units of rounding, twice its value says nothing.
constexpr double kLuck = 16 * 0x1p-24;

}  // namespace

// PyTorch's errors are those of a machine with AVX-512. Fewer lanes add longer chains of numbers,
// each of which rounds: with AVX2 one of the 977 tensors of layers is 2.24 times as far away.
double times_torch() {
#if defined(WEFT_SCALAR_KERNELS)
  return 4;
#else
  if (kCpuIsa == Isa::baseline) return 4;
  return kCpuIsa == Isa::avx2 ? 3 : 2;
#endif
}

double relative_error(const Tensor& value, const Tensor& reference, double floor) {
  constexpr double kApart = std::numeric_limits<double>::infinity();
  if (!value.defined() || value.shape() != reference.shape()) return kApart;
  if (value.dtype() != reference.dtype() &&
      !(is_floating(value.dtype()) && is_floating(reference.dtype())))
    return kApart;
  const auto got = to(value.detach(), kFloat64).to_vector<double>(),
             want = to(reference, kFloat64).to_vector<double>();
  double worst = 0, largest = floor;
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isinf(want[i]) && got[i] == want[i]) continue;
    const double error = std::abs(got[i] - want[i]);
    if (std::isnan(error)) return kApart;
    worst = std::max(worst, error);
    largest = std::max(largest, std::abs(want[i]));
  }
  return largest > 0 ? worst / largest : worst;
}

TorchTally& TorchTally::operator+=(const TorchTally& other) {
  cases += other.cases;
  tensors += other.tensors;
  first = std::max(first, other.first);
  second = std::max(second, other.second);
  single = std::max(single, other.single);
  own = std::max(own, other.own);
  return *this;
}

void TorchTally::exact(const Tensor& found, const Tensor& want, double tolerance, bool is_second) {
  const double error = relative_error(found, want, 1);
  CHECK(error <= tolerance);
  double& worst = is_second ? second : first;
  worst = std::max(worst, error);
  ++tensors;
}

void TorchTally::in_float32(const Tensor& found, const Tensor& want, double torch_error) {
  const double error = relative_error(found, want, 0);
  CHECK(error <= std::max(times_torch() * torch_error, times_torch() / 2 * kLuck));
  single = std::max(single, error);
  own = std::max(own, torch_error);
}

std::string torch_table_heading(const std::string& what) {
  return fmt::format("{:<36} {:>5} {:>7}  {:>7}  {:>7}  {:>7}  {:>13}\n", what, "cases", "tensors",
                     "float64", "order 2", "float32", "PyTorch's own");
}

std::string torch_table_row(const std::string& name, const TorchTally& t) {
  return fmt::format("{:<36} {:>5} {:>7}  {:>7.0e}  {:>7.0e}  {:>7.0e}  {:>13.0e}\n", name, t.cases,
                     t.tensors, t.first, t.second, t.single, t.own);
}

std::string torch_table_missing(const std::set<std::string>& declared,
                                const std::set<std::string>& compared,
                                const std::map<std::string, const char*>& reasons) {
  std::string text;
  for (const auto& [name, reason] : reasons) {
    INFO(name << ": " << reason);
    CHECK(declared.contains(name));
    CHECK_FALSE(compared.contains(name));
  }
  for (const std::string& name : declared) {
    if (compared.contains(name)) continue;
    const auto reason = reasons.find(name);
    text += fmt::format("  not compared: {}, {}\n", name,
                        reason == reasons.end() ? "no fixture yet" : reason->second);
  }
  return text;
}

std::string torch_table_different(const std::map<std::string, const char*>& reasons) {
  std::string text;
  for (const auto& [name, reason] : reasons)
    text += fmt::format("  differs on purpose: {}, {}\n", name, reason);
  return text;
}
