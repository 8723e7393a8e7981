#include <weft/core/random.h>
#include <weft/core/tensor.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;

TEST_CASE("philox equals the known answers of Random123") {  // kat_vectors, philox4x32 10
  CHECK(philox(0, 0) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
}

TEST_CASE("a generator's state is its seed and position") {
  Generator a(7);
  a.next();
  a.normal();
  Generator b(0);
  b.set_state(a.seed(), a.position());
  CHECK(a.next() == b.next());
  Generator shared = a;
  shared.next();
  CHECK(a.position() == shared.position());
}

TEST_CASE("uniform and normal numbers have the moments they should") {
  Generator g(1);
  double mean = 0, variance = 0, uniform = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = g.normal();
    mean += x / n;
    variance += x * x / n;
    uniform += g.uniform() / n;
  }
  CHECK(std::abs(mean) < 0.01);
  CHECK(std::abs(variance - 1) < 0.02);
  CHECK(std::abs(uniform - 0.5) < 0.005);
}

TEST_CASE("below covers its range and rejects an empty one") {
  Generator g(3);
  int counts[5] = {};
  for (int i = 0; i < 5000; ++i) ++counts[g.below(5)];
  for (int c : counts) CHECK(std::abs(c - 1000) < 150);
  CHECK(message_of([&] { g.below(0); }) == "Generator::below: n must be positive; got 0");
}

TEST_CASE("uniform numbers stay below their upper bound in either type") {
  Generator g(0);
  g.set_state(1, 19351156);  // 1 - 2^-26: nearest in float is 1
  CHECK(rand({1}, g).item() == 1 - 0x1p-24);
  g.set_state(1, 19351156);
  CHECK(rand({1}, g, kFloat64).item() > 1 - 0x1p-24);
  g.set_state(1, 19351156);
  CHECK(g.uniform<float>(-3, 5) == std::nextafter(5.0f, 0.0f));
  // Few numbers lie between these bounds, so that half of the draws round to the upper one.
  const double above = std::nextafter(1.0, 2.0);
  const float above32 = std::nextafter(1.0f, 2.0f);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(g.uniform<double>(1, above) == 1);
    REQUIRE(g.uniform<float>(1, static_cast<double>(above32)) == 1);
    REQUIRE(g.uniform<float>(-1, 0) < 0);
    REQUIRE(g.uniform<float>(0.1, 0.1) == 0.1f);
  }
  CHECK(message_of([&] { g.uniform<float>(2, 1); }) ==
        "Generator::uniform: lo must not exceed hi; got 2 and 1");
}

TEST_CASE("a seed gives the uniform numbers that it always gave") {
  Generator a(4), b(4);
  for (float x : rand({1000}, a).to_vector<float>()) REQUIRE(x == static_cast<float>(b.uniform()));
  for (int i = 0; i < 1000; ++i)
    REQUIRE(a.uniform<float>(-0.3, 0.3) == static_cast<float>(-0.3 + (0.3 + 0.3) * b.uniform()));
}

TEST_CASE("a replay draws what the recorder saw drawn, then everything stands where it stood") {
  Generator a(1), b(2), other(3);
  a.next();
  std::vector<uint64_t> first;
  std::vector<GeneratorState> outer_states, inner_states;
  {
    const RandomRecorder outer;
    first.push_back(a.next());
    {
      const RandomRecorder inner;
      first.push_back(a.next());
      first.push_back(b.next());
      inner_states = inner.states();
    }
    outer_states = outer.states();
  }
  other.next();
  REQUIRE(outer_states.size() == 2);
  CHECK(outer_states[0].position == 1);
  CHECK(inner_states[0].position == 2);
  {
    const RandomReplay replay(outer_states);
    CHECK(std::vector<uint64_t>{a.next(), a.next(), b.next()} == first);
  }
  CHECK(a.position() == 3);
  CHECK(b.position() == 1);
  CHECK(other.position() == 1);
}
