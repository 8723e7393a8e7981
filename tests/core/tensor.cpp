// Tensors: construction, reading, printing, views, errors, and where their memory goes.
#include <weft/core/allocator.h>
#include <weft/core/broadcast.h>
#include <weft/core/error.h>
#include <weft/core/tensor.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <limits>
#include <sstream>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

}  // namespace

TEST_CASE("nested braces give shape, values and dtype") {
  const Tensor whole = tensor({{1, 2, 3}, {4, 5, 6}});
  CHECK(whole.shape() == Shape{2, 3});
  CHECK(whole.dtype() == kInt64);
  CHECK(numbers(whole) == Numbers{1, 2, 3, 4, 5, 6});
  CHECK(tensor({1, 2.5}).dtype() == kFloat32);
  CHECK(tensor({true, false}).dtype() == kBool);
  CHECK(tensor({true, 2}).dtype() == kInt64);
  CHECK(tensor({1, 2}, kFloat64).dtype() == kFloat64);
  CHECK(tensor({{{1}, {2}}}).shape() == Shape{1, 2, 1});
  CHECK(tensor({}).shape() == Shape{0});
  CHECK(message_of([] {
          tensor({{1, 2}, {3}});
        }) == "tensor: nested lists must have equal lengths; got [1] beside [2]");
}

TEST_CASE("vectors, spans and fills") {
  CHECK(numbers(from_vector<float>({1, 2, 3, 4}, {2, 2})) == Numbers{1, 2, 3, 4});
  CHECK(from_vector<bool>({true, false}, {2}).dtype() == kBool);
  const double raw[] = {5, 6};
  CHECK(numbers(from_span<double>(raw, {2, 1})) == Numbers{5, 6});
  CHECK(message_of([] {
          from_vector<float>({1, 2}, {3});
        }) == "from_vector: shape [3] needs 3 values; got 2");
  CHECK(numbers(full({2}, 1.5)) == Numbers{1.5, 1.5});
  CHECK(numbers(ones({2}, kInt64)) == Numbers{1, 1});
  CHECK(numbers(arange(3)) == Numbers{0, 1, 2});
  CHECK(numbers(eye(2)) == Numbers{1, 0, 0, 1});
  CHECK(numbers(eye(2, 3)) == Numbers{1, 0, 0, 0, 1, 0});
  CHECK(numbers(eye(3, 2)) == Numbers{1, 0, 0, 1, 0, 0});
  CHECK(eye(0, 3).shape() == Shape{0, 3});
  for (const DType dtype : {kFloat32, kFloat64, kInt64, kBool}) {
    CHECK(eye(2, dtype).dtype() == dtype);
    CHECK(numbers(eye(1, dtype)) == Numbers{1});
  }
  CHECK(message_of([] { eye(-1); }) == "tensor: sizes must not be negative; got [-1, -1]");
  CHECK(scalar(2).dim() == 0);
  CHECK(scalar(2).numel() == 1);
}

TEST_CASE("random tensors repeat with their seed") {
  Generator a(1), b(1), c(2);
  const Tensor x = randn({100}, a);
  CHECK(numbers(x) == numbers(randn({100}, b)));
  CHECK(numbers(x) != numbers(randn({100}, c)));
  CHECK(numbers(x) != numbers(randn({100}, a)));
  const Tensor u = rand({1000}, a), i = randint(3, {1000}, a);
  for (double v : numbers(u)) REQUIRE((v >= 0 && v < 1));
  for (double v : numbers(i)) REQUIRE((v == 0 || v == 1 || v == 2));
}

TEST_CASE("sizes and dims") {
  const Tensor t = zeros({2, 0, 3});
  CHECK(t.dim() == 3);
  CHECK(t.numel() == 0);
  CHECK(t.size(-1) == 3);
  CHECK(t.is_contiguous());
  CHECK(message_of([&] { t.size(3); }) ==
        "size: dim must be in [-3, 2]; got 3 for shape [2, 0, 3]");
  CHECK_FALSE(Tensor().defined());
}

TEST_CASE("impossible shapes are errors") {
  CHECK(message_of([] { zeros({2, -1}); }) == "tensor: sizes must not be negative; got [2, -1]");
  const int64_t huge = std::numeric_limits<int64_t>::max();
  CHECK(message_of([&] {
          Tensor({huge, 2}, kFloat32);
        }) == "tensor: shape [9223372036854775807, 2] holds more bytes than can be addressed");
  CHECK(message_of([] {
          zeros({1, 1, 1, 1, 1, 1, 1, 1, 1});
        }) == "shape: at most 8 dimensions are supported; got 9");
}

TEST_CASE("reading elements checks count, place and dtype") {
  const Tensor t = tensor({{1, 2}, {3, 4}});
  CHECK(t.at({1, 0}) == 3);
  CHECK(scalar(2.5).item() == 2.5);
  CHECK(tensor({{7}}).item<int64_t>() == 7);
  const int64_t odd = (int64_t{1} << 60) + 1;  // not a double
  CHECK(from_vector<int64_t>({odd}, {}).item<int64_t>() == odd);
  CHECK(scalar(0.5).item<bool>());
  CHECK(message_of([&] { t.item(); }) == "item: expected one element; got shape [2, 2]");
  CHECK(message_of([] { Tensor().item(); }) == "item: the tensor is undefined");
  CHECK(message_of([&] { t.at({1}); }) == "at: expected 2 indices for shape [2, 2]; got [1]");
  CHECK(message_of([&] { t.at({0, 2}); }) == "at: index [0, 2] is outside shape [2, 2]");
  CHECK(message_of([&] { t.data<float>(); }) ==
        "data: the tensor's dtype is int64; asked for float32");
}

TEST_CASE("printing") {
  CHECK(to_string(tensor({{1, 20}, {3, 4}})) ==
        "tensor([[ 1, 20],\n"
        "        [ 3,  4]], shape [2, 2], int64)");
  CHECK(to_string(tensor({0.5, -1.25, 1e-9, 12345678.0})) ==
        "tensor([      0.5,     -1.25,     1e-09, 1.235e+07], shape [4], float32)");
  CHECK(to_string(tensor({true, false})) == "tensor([ true, false], shape [2], bool)");
  CHECK(to_string(scalar(3)) == "tensor(3, shape [], float32)");
  CHECK(to_string(zeros({0, 3}, kFloat64)) == "tensor([], shape [0, 3], float64)");
  CHECK(to_string(tensor({std::nan(""), -std::numeric_limits<double>::infinity()})) ==
        "tensor([ nan, -inf], shape [2], float32)");
  CHECK(to_string(scalar(-std::nan(""))) == "tensor(nan, shape [], float32)");
  CHECK(to_string(Tensor()) == "tensor(undefined)");
  CHECK(to_string(arange(11)) == "tensor([ 0,  1,  2, ...,  8,  9, 10], shape [11], int64)");
  CHECK(to_string(tensor({{{1}, {2}}, {{3}, {4}}})) ==
        "tensor([[[1],\n"
        "         [2]],\n"
        "\n"
        "        [[3],\n"
        "         [4]]], shape [2, 2, 1], int64)");
  std::ostringstream out;
  out << scalar(1, kInt64);
  CHECK(out.str() == "tensor(1, shape [], int64)");
}

TEST_CASE("a strided view looks into the same storage, never out of it") {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  const Tensor column = x.strided_view({2}, {3}, 1);
  CHECK(numbers(column) == Numbers{2, 5});
  CHECK(column.same_storage(x));
  CHECK_FALSE(column.is_contiguous());
  CHECK(column.strided_view({1}, {1}, 3).item() == 5);
  CHECK(to_string(column) == "tensor([2, 5], shape [2], int64)");
  CHECK_THROWS_AS(x.strided_view({2}, {6}), InternalError);
  CHECK_THROWS_AS(x.strided_view({1}, {1}, -1), InternalError);
  CHECK(x.strided_view({0}, {1}, 6).numel() == 0);
  CHECK(x.strided_view({4, 2}, {0, 1}).to_vector<int64_t>() ==
        std::vector<int64_t>{1, 2, 1, 2, 1, 2, 1, 2});
}

TEST_CASE("handles, and writes that count") {
  Tensor x = tensor({1.0, 2.0});
  const Tensor same = x, view = x.strided_view({1}, {1});
  CHECK(same.same_handle(x));
  CHECK_FALSE(x.is_unique());
  CHECK(tensor({1.0}).is_unique());
  const uint32_t version = x.storage().version();
  x.mutable_data<float>("test")[0] = 7;
  CHECK(view.item() == 7);
  CHECK(view.storage().version() == version + 1);
  CHECK(std::string(view.storage().last_writer()) == "test");
}

TEST_CASE("set_data changes all copies of a handle") {
  Tensor x = tensor({1.0, 2.0});
  const Tensor copy = x;
  x.set_data(tensor({3, 4, 5}));
  CHECK(copy.shape() == Shape{3});
  CHECK(copy.dtype() == kInt64);
  CHECK(message_of([&] { x.set_data(Tensor()); }) == "set_data: both tensors must be defined");
}

TEST_CASE("memory is counted, aligned and used again") {
  const AllocatorStats before = allocator_stats();
  {
    const Tensor x = zeros({1000}, kFloat64);
    CHECK(reinterpret_cast<uintptr_t>(x.raw()) % kAlignment == 0);
    const AllocatorStats during = allocator_stats();
    CHECK(during.bytes_in_use >= before.bytes_in_use + 8000);
    CHECK(during.allocations == before.allocations + 1);
  }
  CHECK(allocator_stats().bytes_in_use == before.bytes_in_use);
  const uint64_t system_calls = allocator_stats().system_calls;
  for (int i = 0; i < 10; ++i) zeros({1000}, kFloat64);
  CHECK(allocator_stats().system_calls == system_calls);
  reset_peak();
  { const Tensor x = zeros({1 << 20}); }
  CHECK(allocator_stats().peak_in_use >= before.bytes_in_use + (size_t{4} << 20));
  empty_cache();
  CHECK(allocator_stats().bytes_reserved >= allocator_stats().bytes_in_use);
}

TEST_CASE("broadcast shapes and strides") {
  CHECK(broadcast_shapes("f", {2, 1, 3}, {4, 1}) == Shape{2, 4, 3});
  CHECK(broadcast_shapes("f", {}, {2}) == Shape{2});
  CHECK(broadcast_shapes("f", {0}, {1}) == Shape{0});
  CHECK(message_of([] { broadcast_shapes("f", {0}, {2}); }) ==
        "f: shapes do not broadcast; got [0] and [2]");
  CHECK(broadcast_strides(zeros({2, 1}), {3, 2, 4}) == Shape{0, 1, 0});
}

TEST_CASE("a broadcast loop visits every element once, in row-major order of the result") {
  const Tensor row = tensor({1, 2, 3}), column = tensor({{10}, {20}});
  const BroadcastLoop<2> loop({2, 3}, {&row, &column});
  std::vector<int64_t> out(6);
  const int64_t *a = row.data<int64_t>(), *b = column.data<int64_t>();
  loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      out[static_cast<size_t>(at + i)] = a[offset[0] + i * step[0]] + b[offset[1] + i * step[1]];
  });
  CHECK(out == std::vector<int64_t>{11, 12, 13, 21, 22, 23});
}
