// Sizes that int64 cannot hold, undefined tensors, numbers that are no int64: errors, all of them.
#include <weft/core/tensor.h>
#include <weft/tests/catch.h>

#include <limits>

using namespace weft;

namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max(), kHalf = int64_t{1} << 32;

}  // namespace

TEST_CASE("a shape whose elements cannot be counted is an error") {
  const std::string message =
      "shape: [4294967296, 4294967296] has more elements than can be counted";
  CHECK(message_of([] { Shape{kHalf, kHalf}.numel(); }) == message);
  CHECK(message_of([] { contiguous_strides({kHalf, kHalf}); }) == message);
  for (const Shape& shape :
       {Shape{0, kHalf, kHalf}, Shape{kHalf, 0, kHalf}, Shape{kHalf, kHalf, 0}})
    CHECK(message_of([&] { zeros(shape); }) != "");
  CHECK(Shape{0, kHuge}.numel() == 0);
  CHECK(Shape{kHuge, 1}.numel() == kHuge);
  CHECK(message_of([] { zeros({kHuge}); }) ==
        "tensor: shape [9223372036854775807] holds more bytes than can be addressed");
}

TEST_CASE("sums and products of sizes are errors where int64 cannot hold them") {
  CHECK(add_sizes("pad", kHuge - 1, 1) == kHuge);
  CHECK(message_of([] { add_sizes("pad", kHuge, 1); }) ==
        "pad: 9223372036854775807 + 1 is no size");
  CHECK(multiply_sizes("gru", 3, 5) == 15);
  CHECK(message_of([] { multiply_sizes("gru", 3, kHuge); }) ==
        "gru: 3 * 9223372036854775807 is no size");
}

TEST_CASE("whatever is asked of an undefined tensor is an error that says so") {
  const Tensor none;
  Tensor writable;
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"shape", [&] { none.shape(); }},
      {"strides", [&] { none.strides(); }},
      {"size", [&] { none.size(0); }},
      {"dim", [&] { none.dim(); }},
      {"numel", [&] { none.numel(); }},
      {"dtype", [&] { none.dtype(); }},
      {"is_contiguous", [&] { none.is_contiguous(); }},
      {"data", [&] { none.data<float>(); }},
      {"mutable_data", [&] { writable.mutable_data<float>(); }},
      {"item", [&] { none.item(); }},
      {"item", [&] { none.item<int>(); }},
      {"at", [&] { none.at({0}); }},
      {"to_vector", [&] { none.to_vector<double>(); }},
      {"is_leaf", [&] { none.is_leaf(); }},
      {"detach", [&] { none.detach(); }},
      {"set_requires_grad", [&] { writable.set_requires_grad(); }},
      {"strided_view", [&] { none.strided_view({}, {}); }},
      {"is_unique", [&] { none.is_unique(); }},
      {"same_storage", [&] { none.same_storage(zeros({})); }},
      {"same_storage", [&] { zeros({}).same_storage(none); }},
      {"storage", [&] { none.storage(); }},
      {"raw", [&] { none.raw(); }}};
  for (const auto& [who, call] : calls)
    CHECK(message_of(call) == who + std::string(": the tensor is undefined"));
  CHECK_FALSE(none.requires_grad());
  CHECK_FALSE(none.grad().defined());
}

TEST_CASE("a number that is no int64 is an error where one is asked for") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(message_of([&] { full({2}, nan, kInt64); }) == "full: nan is no int64");
  CHECK(message_of([] { full({2}, 1e30, kInt64); }) == "full: 1e+30 is no int64");
  CHECK(message_of([] { scalar(-1e30, kInt64); }) == "scalar: -1e+30 is no int64");
  CHECK(message_of([] { tensor({1e30}, kInt64); }) == "tensor: 1e+30 is no int64");
  CHECK(message_of([&] { scalar(nan).item<int64_t>(); }) == "item: nan is no int64");
  CHECK(message_of([] {
          tensor({1.0, 1e30}).to_vector<int64_t>();
        }) == "to_vector: 1.0000000150474662e+30 is no int64");
  CHECK(full({1}, -0x1p63, kInt64).item<int64_t>() == std::numeric_limits<int64_t>::min());
  CHECK(scalar(-2.9).item<int64_t>() == -2);
}

TEST_CASE("item is an error where its type cannot hold the value") {
  const Tensor large = from_vector(std::vector<int64_t>{int64_t{1} << 40}, {});
  CHECK(message_of([&] { large.item<int>(); }) ==
        "item: 1099511627776 does not fit 32 signed bits");
  CHECK(message_of([] { scalar(-1, kInt64).item<uint64_t>(); }) ==
        "item: -1 does not fit 64 unsigned bits");
  CHECK(large.item<int64_t>() == int64_t{1} << 40);
  CHECK(scalar(-7).item<int>() == -7);
}
