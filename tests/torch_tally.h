// Numbers of weft beside those of PyTorch: how far apart they are, what is allowed, and the table
// that a test run prints.
#pragma once

#include <weft/core/tensor.h>

#include <map>
#include <set>
#include <string>

/// float32 may be so many times as far from float64 as PyTorch's: 2. Kernels that sum in many lanes
/// lose less than those with few, or with one as in a build with sanitizers: 4 there, and without
/// AVX2.
double times_torch();

/// What comparisons with PyTorch's float64 numbers saw. Errors are the largest of all tensors.
struct TorchTally {
  int cases = 0, tensors = 0;
  double first = 0;   ///< float64, values and gradients; relative to max(1, largest magnitude)
  double second = 0;  ///< float64, second order
  double single = 0;  ///< float32; relative to the tensor's largest magnitude
  double own = 0;     ///< the same of PyTorch's float32

  TorchTally& operator+=(const TorchTally& other);

  /// CHECKs a float64 tensor.
  void exact(const weft::Tensor& found, const weft::Tensor& want, double tolerance, bool is_second);
  /// CHECKs a float32 tensor, where PyTorch's float32 has the error `torch_error`.
  void in_float32(const weft::Tensor& found, const weft::Tensor& want, double torch_error);
};

/// The heading of a table of tallies, and a line of it.
std::string torch_table_heading(const std::string& what);
std::string torch_table_row(const std::string& name, const TorchTally& tally);
/// A line for each of `declared` that is not among `compared`: its reason, or that it has no
/// fixture yet. CHECKs that no reason outlived its cause.
std::string torch_table_missing(const std::set<std::string>& declared,
                                const std::set<std::string>& compared,
                                const std::map<std::string, const char*>& reasons);
/// What differs on purpose, each with its reason.
std::string torch_table_different(const std::map<std::string, const char*>& reasons);

/// Largest difference over max(floor, largest magnitude); equal infinities do not differ. Infinite
/// where something is NaN, or shape or dtype (float32 for float64 apart) differ.
double relative_error(const weft::Tensor& value, const weft::Tensor& reference, double floor);
