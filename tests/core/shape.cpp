#include <weft/core/shape.h>
#include <weft/tests/catch.h>

#include <sstream>

using namespace weft;

TEST_CASE("shapes broadcast as in NumPy") {
  CHECK(broadcast_shapes("add", {2, 1, 3}, {4, 1}) == Shape{2, 4, 3});
  CHECK(broadcast_shapes("add", {}, {5}) == Shape{5});
  CHECK(broadcast_shapes("add", {0}, {1}) == Shape{0});
  CHECK(message_of([] {
          broadcast_shapes("add", {2, 3}, {4});
        }) == "add: shapes do not broadcast; got [2, 3] and [4]");
}

TEST_CASE("dims count from either end") {
  CHECK(normalize_dim("sum", -1, {2, 3}) == 1);
  CHECK(normalize_dim("sum", 0, {}) == 0);
  CHECK(message_of([] {
          normalize_dim("softmax", 2, {3, 5});
        }) == "softmax: dim must be in [-2, 1]; got 2 for shape [3, 5]");
}

TEST_CASE("shapes print as they are written in messages") {
  std::ostringstream out;
  out << Shape{2, -1, 3} << Shape{};
  CHECK(out.str() == "[2, -1, 3][]");
}

TEST_CASE("shapes hold at most eight dimensions") {
  Shape s = Shape::filled(8, 1);
  CHECK(message_of([&] { s.push_back(1); }).find("at most 8 dimensions") != std::string::npos);
  CHECK(contiguous_strides({2, 3, 4}) == Shape{12, 4, 1});
}
