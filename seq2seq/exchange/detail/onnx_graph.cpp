// Messages and numbers of fields are those of onnx.proto
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), each message a string of its fields.
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/version.h>
#include <weft/seq2seq/exchange/detail/onnx_graph.h>
#include <weft/seq2seq/text/detail/protobuf.h>

#include <fmt/ranges.h>
#include <limits>

namespace weft {

using protobuf::put_bytes, protobuf::put_float, protobuf::put_integer;

namespace {

constexpr int64_t kIrVersion = 8;  // of the file's form, the one that came with the opset
constexpr unsigned kNode = 1, kGraphName = 2, kInitializer = 5, kInput = 11, kOutput = 12;

int64_t onnx_type(DType dtype) {
  constexpr int64_t kOnnxFloat = 1, kOnnxInt64 = 7;
  return dtype == kInt64 ? kOnnxInt64 : kOnnxFloat;
}

// ValueInfoProto
std::string described(const std::string& name, DType dtype, const OnnxGraph::Dims& dims) {
  std::string shape;
  for (const auto& dim : dims) {
    std::string added;
    if (const auto* size = std::get_if<int64_t>(&dim))
      put_integer(added, 1, *size);
    else
      put_bytes(added, 2, std::get<std::string>(dim));
    put_bytes(shape, 1, added);
  }
  std::string tensor, type, info;
  put_integer(tensor, 1, onnx_type(dtype));
  put_bytes(tensor, 2, shape);
  put_bytes(type, 1, tensor);
  put_bytes(info, 1, name);
  put_bytes(info, 2, type);
  return info;
}

// AttributeProto
std::string attribute_proto(const OnnxGraph::Attributes::value_type& attribute) {
  constexpr unsigned kType = 20;
  constexpr int64_t kFloatAttribute = 1, kIntAttribute = 2, kIntsAttribute = 7;
  std::string proto;
  put_bytes(proto, 1, attribute.first);
  if (const auto* whole = std::get_if<int64_t>(&attribute.second)) {
    put_integer(proto, 3, *whole);
    put_integer(proto, kType, kIntAttribute);
  } else if (const auto* number = std::get_if<double>(&attribute.second)) {
    put_float(proto, 2, static_cast<float>(*number));
    put_integer(proto, kType, kFloatAttribute);
  } else {
    for (const int64_t i : std::get<std::vector<int64_t>>(attribute.second))
      put_integer(proto, 8, i);
    put_integer(proto, kType, kIntsAttribute);
  }
  return proto;
}

// NodeProto
std::string node_proto(const std::string& type, const OnnxGraph::Values& inputs,
                       const OnnxGraph::Values& outputs, const OnnxGraph::Attributes& attributes) {
  std::string node;
  for (const std::string& input : inputs) put_bytes(node, 1, input);
  for (const std::string& output : outputs) put_bytes(node, 2, output);
  put_bytes(node, 4, type);
  for (const auto& attribute : attributes) put_bytes(node, 5, attribute_proto(attribute));
  return node;
}

// The elements in row-major order, as they lie in memory: ONNX has them little-endian.
template <class T>
std::string raw_bytes(const Tensor& x) {
  const Tensor rows = contiguous(x);
  return {reinterpret_cast<const char*>(rows.data<T>()),
          static_cast<size_t>(rows.numel()) * sizeof(T)};
}

}  // namespace

std::string OnnxGraph::new_name(const std::string& stem) {
  return fmt::format("{}_{}", stem, named_++);
}

OnnxGraph::Value OnnxGraph::input(const std::string& name, DType dtype, const Dims& dims) {
  put_bytes(fields_, kInput, described(name, dtype, dims));
  return name;
}

void OnnxGraph::output(const std::string& name, const Value& value, DType dtype, const Dims& dims) {
  put_bytes(fields_, kOutput, described(name, dtype, dims));
  put_bytes(fields_, kNode, node_proto("Identity", {value}, {name}, {}));
}

OnnxGraph::Value OnnxGraph::constant(const Tensor& tensor, const std::string& name) {
  const Value made = new_name(name);
  std::string proto;  // TensorProto
  for (const int64_t size : tensor.shape()) put_integer(proto, 1, size);
  put_integer(proto, 2, onnx_type(tensor.dtype()));
  put_bytes(proto, 8, made);
  put_bytes(proto, 9,
            tensor.dtype() == kInt64 ? raw_bytes<int64_t>(tensor)
                                     : raw_bytes<float>(to(tensor, kFloat32)));
  put_bytes(fields_, kInitializer, proto);
  return made;
}

OnnxGraph::Value OnnxGraph::number(double value) {
  Value& found = small_[fmt::format("number {}", value)];
  if (found.empty()) found = constant(scalar(value), "number");
  return found;
}

OnnxGraph::Value OnnxGraph::integer(int64_t value) {
  Value& found = small_[fmt::format("integer {}", value)];
  if (found.empty()) found = constant(from_vector<int64_t>({value}, {}), "integer");
  return found;
}

OnnxGraph::Value OnnxGraph::integers(const std::vector<int64_t>& values) {
  Value& found = small_[fmt::format("integers {}", fmt::join(values, " "))];
  if (found.empty()) found = constant(from_vector(values, {std::ssize(values)}), "integers");
  return found;
}

OnnxGraph::Value OnnxGraph::op(const std::string& type, const Values& inputs,
                               const Attributes& attributes) {
  return ops(type, inputs, 1, attributes)[0];
}

OnnxGraph::Values OnnxGraph::ops(const std::string& type, const Values& inputs, int count,
                                 const Attributes& attributes) {
  Values results;
  for (int i = 0; i < count; ++i) results.push_back(new_name(type));
  put_bytes(fields_, kNode, node_proto(type, inputs, results, attributes));
  return results;
}

std::string OnnxGraph::bytes() const {
  std::string opset, graph = fields_, model;
  put_integer(opset, 2, kOnnxOpset);
  put_bytes(graph, kGraphName, name_);
  put_integer(model, 1, kIrVersion);
  put_bytes(model, 2, "weft");
  put_bytes(model, 3, WEFT_VERSION);
  put_bytes(model, 8, opset);
  put_bytes(model, 7, graph);
  constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  check(model.size() <= kMost, "export: an ONNX file holds at most {} bytes; got a model of {}",
        kMost, model.size());
  return model;
}

}  // namespace weft
