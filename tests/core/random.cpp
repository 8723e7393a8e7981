#include <weft/core/random.h>
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
