// An ONNX graph while it is built: values by name, and nodes that make values of values.
#pragma once

#include <weft/core/tensor.h>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

/// Of ONNX's operators; the graph says so, and programs that read it must know them.
inline constexpr int64_t kOnnxOpset = 17;

class OnnxGraph {
 public:
  using Value = std::string;
  using Values = std::vector<Value>;
  using Attributes =
      std::vector<std::pair<std::string, std::variant<int64_t, double, std::vector<int64_t>>>>;
  /// A number, or the name of a size that each run may choose.
  using Dims = std::vector<std::variant<int64_t, std::string>>;

  explicit OnnxGraph(std::string name) : name_(std::move(name)) {}

  /// What a run takes and gives. An output has the value under another name.
  Value input(const std::string& name, DType dtype, const Dims& dims);
  void output(const std::string& name, const Value& value, DType dtype, const Dims& dims);

  /// A constant of the graph; of floating tensors in float32.
  Value constant(const Tensor& tensor, const std::string& name);
  Value number(double value);
  Value integer(int64_t value);
  Value integers(const std::vector<int64_t>& values);

  /// What an operator makes of values: its first result, or `count` of them.
  Value op(const std::string& type, const Values& inputs, const Attributes& attributes = {});
  Values ops(const std::string& type, const Values& inputs, int count,
             const Attributes& attributes = {});

  /// The file. Throws if it would be larger than a protocol buffer may be, 2 GiB.
  std::string bytes() const;

 private:
  std::string new_name(const std::string& stem);

  std::string name_;
  std::string fields_;                  // of the graph, as they stand in the file
  std::map<std::string, Value> small_;  // constants that stand in the graph already, by their text
  int64_t named_ = 0;
};

}  // namespace weft
