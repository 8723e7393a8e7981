// Writing protocol buffers, the binary form of SentencePiece's models, of ONNX and of TensorBoard's
// events: fields one after another, each a number and a value
// (https://protobuf.dev/programming-guides/encoding). Linking libprotobuf is no way: Debian's
// SentencePiece holds another version of it, and both in one program stop it.
#pragma once

#include <cstdint>
#include <string>

namespace weft::protobuf {

/// Appends a field to `out`. An integer may be negative.
void put_integer(std::string& out, unsigned field, int64_t value);
void put_float(std::string& out, unsigned field, float value);
void put_double(std::string& out, unsigned field, double value);
/// A string, bytes, or a message written before.
void put_bytes(std::string& out, unsigned field, const std::string& bytes);

}  // namespace weft::protobuf
