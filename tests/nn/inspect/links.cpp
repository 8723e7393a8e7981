// Attention on given links against loops, and links against sorted lists.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/links.h>
#include <weft/tests/nn/numbers.h>

#include <algorithm>

using namespace weft;

namespace {

bool linked(const Tensor& links, std::initializer_list<int64_t> at) { return links.at(at) != 0; }

}  // namespace

TEST_CASE("the mass on links is that of loops") {
  constexpr int64_t kBatch = 2, kHeads = 3, kQueries = 4, kKeys = 5;
  const Tensor a = random_weights({kBatch, kHeads, kQueries, kKeys}, 1);
  const Tensor links = gt(normal({kBatch, kQueries, kKeys}, 2), 0.8);  // some rows have none
  const Tensor found = mass_on_links(a, links);
  REQUIRE(found.shape() == Shape{kBatch, kHeads});
  int64_t without = 0;
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t h = 0; h < kHeads; ++h) {
      double total = 0, rows = 0;
      for (int64_t i = 0; i < kQueries; ++i) {
        bool any = false;
        for (int64_t j = 0; j < kKeys; ++j)
          if (linked(links, {b, i, j})) {
            any = true;
            total += a.at({b, h, i, j});
          }
        rows += any;
        without += !any;
      }
      CHECK(std::abs(found.at({b, h}) - total / rows) < kClose);
    }
  CHECK(without > 0);
  const Tensor shared = select(links, 0, 0);
  CHECK(largest_difference(select(mass_on_links(a, shared), 0, 0), select(found, 0, 0)) == 0);
}

TEST_CASE("heads that copy, shift, reverse and sort have all their mass on those links") {
  constexpr int64_t n = 5;
  const Tensor copies = eye(n, kFloat64), back = pad(slice(copies, 1, 1), 1, 0, 1),
               reverses = flip(copies, {1});
  const Tensor a = reshape(stack({copies, back, reverses}, 0), {1, 3, n, n});
  const Tensor on_diagonal = mass_on_links(a, diagonal_links(n)),
               on_shift = mass_on_links(a, diagonal_links(n, -1)),
               on_reverse = mass_on_links(a, reverse_links(n));
  CHECK(on_diagonal.to_vector<double>() == std::vector<double>{1, 0, 0.2});  // the middle one
  CHECK(on_shift.to_vector<double>() == std::vector<double>{0, 1, 0});
  CHECK(on_reverse.to_vector<double>() == std::vector<double>{0.2, 0, 1});

  const Tensor order =
      tensor({{30.0, 10.0, 50.0, 20.0, 40.0}, {1.0, 2.0, 3.0, 4.0, 5.0}}, kFloat64);
  const Tensor links = sorted_links(order), sorts = unsqueeze(to(links, kFloat64), 1);
  REQUIRE(links.shape() == Shape{2, n, n});
  const std::vector<int64_t> ranked{1, 3, 0, 4, 2};
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      CHECK(linked(links, {0, i, j}) == (j == ranked[static_cast<size_t>(i)]));
      CHECK(linked(links, {1, i, j}) == (j == i));
    }
  CHECK(mass_on_links(sorts, links).to_vector<double>() == std::vector<double>{1, 1});
}

TEST_CASE("ranks of equal keys are shared") {
  Generator generator(1);
  std::vector<int64_t> keys(9);
  for (int64_t& k : keys) k = generator.below(4);
  std::vector<int64_t> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  const Tensor links = sorted_links(from_vector(keys, {9}));
  for (int64_t i = 0; i < 9; ++i)
    for (int64_t j = 0; j < 9; ++j)
      CHECK(linked(links, {i, j}) ==
            (keys[static_cast<size_t>(j)] == sorted[static_cast<size_t>(i)]));
}

TEST_CASE("shifts may lead out, and links may be padded") {
  CHECK(sum(to(diagonal_links(4, 4), kInt64)).item() == 0);
  CHECK(sum(to(diagonal_links(4, 3), kInt64)).item() == 1);
  CHECK(linked(diagonal_links(4, 3), {0, 3}));
  const Tensor a = random_weights({1, 2, 5, 5}, 1);
  CHECK(std::isnan(mass_on_links(a, diagonal_links(5, 7)).at({0, 0})));
  const Tensor padded = pad(pad(diagonal_links(3), 0, 0, 2), 1, 0, 2);  // 3 of 5 take part
  const double expected = (a.at({0, 1, 0, 0}) + a.at({0, 1, 1, 1}) + a.at({0, 1, 2, 2})) / 3;
  CHECK(std::abs(mass_on_links(a, padded).at({0, 1}) - expected) < kClose);
  const auto f = [&](const Tensors& in) { return Tensors{mass_on_links(in[0], padded)}; };
  CHECK(gradcheck("mass_on_links", f, {a}).failure == "");
}

TEST_CASE("links say what they expect") {
  const Tensor a = ones({2, 3, 4, 5});
  CHECK(message_of([&] {
          mass_on_links(a, full({5, 4}, 1, kBool));
        }) ==
        "mass_on_links: expected links [4, 5] or [2, 4, 5] for weights [2, 3, 4, 5]; got [5, 4]");
  CHECK(message_of([&] {
          mass_on_links(a, ones({4, 5}));
        }) == "mass_on_links: expected links of bool; got float32");
  CHECK(message_of([] {
          sorted_links(tensor({1.0, std::nan("")}));
        }) == "sorted_links: expected keys to sort; got NaN");
  CHECK(message_of([] {
          sorted_links(ones({1, 2, 3}));
        }) == "sorted_links: expected keys [n] or [B, n]; got [1, 2, 3]");
  CHECK(message_of([] { reverse_links(0); }) ==
        "diagonal_links: expected at least 1 position; got 0");
}
