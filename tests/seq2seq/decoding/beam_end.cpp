// Where a beam search that is to find the n best may end. Ending early is right only if the n best
// are those of the whole search, bit for bit, whatever the model might still have said; bounds that
// are not, though they look so, must fail here.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/forced_prefix.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

#include <functional>

using namespace weft;

namespace {

constexpr size_t kDeep = 7;

// A beam search that cuts off where the tables end, and counts its steps.
class Counted : public BeamSearch {
 public:
  explicit Counted(const BeamOptions& options) : BeamSearch(options) {}
  std::vector<Choice> choose(const SentenceState& sentence) const override {
    ++steps;
    return BeamSearch::choose(sentence);
  }
  int64_t longest(int64_t, int64_t) const override { return kDeep; }
  mutable int64_t steps = 0;
};

// ((5 + length) / 6)^alpha
using Penalty = std::function<double(double length)>;

// The whole search, but it ends by a rule: of the scores of the n best that have ended, the best
// live sum, its length with an end, and the penalty.
class Hasty : public Counted {
 public:
  using Rule = std::function<bool(const std::vector<double>&, double, double, const Penalty&)>;
  Hasty(const BeamOptions& options, int64_t n, Rule ends)
      : Counted(options), n_(n), alpha_(options.length_penalty), ends_(std::move(ends)) {}
  std::vector<Choice> choose(const SentenceState& sentence) const override {
    std::vector<double> scores;
    for (const Hypothesis& h : sentence.finished) scores.push_back(score(h));
    std::sort(scores.begin(), scores.end(), std::greater<>());
    double best = sentence.live[0].log_prob;
    for (const Hypothesis& h : sentence.live) best = std::max(best, h.log_prob);
    const double length = static_cast<double>(sentence.live[0].ids.size()) + 1;
    scores.resize(std::min(scores.size(), static_cast<size_t>(n_)));
    const Penalty penalty = [&](double l) { return std::pow((5 + l) / 6, alpha_); };
    if (std::ssize(scores) == n_ && ends_(scores, best, length, penalty)) return {};
    return Counted::choose(sentence);
  }

 private:
  int64_t n_;
  double alpha_;
  Rule ends_;
};

// Probabilities after every beginning that tempt to end too early: after most, one id is certain,
// the end or not; where `above` is, certainties are rounded to above 1.
Table tempting_table(uint64_t seed, bool above) {
  Generator random(seed);
  Table table;
  std::vector<Ids> open{{}};
  while (!open.empty()) {
    const Ids ids = open.back();
    open.pop_back();
    const auto draw = [&] { return std::pow(random.uniform(), 1 + 8 * random.uniform()) + 1e-9; };
    double end = draw(), a = draw(), b = draw();
    const int64_t certain = random.below(4);
    if (certain < 2) end = 0, a = 1, b = 1e-12;
    if (certain == 2) end = 1, a = b = 1e-12;
    const double sum = (end + a + b) * (above && random.below(2) == 0 ? 1 - 5e-4 : 1 + 1e-6);
    table[ids] = {{kEnd, end / sum}, {kA, a / sum}, {kB, b / sum}};
    if (ids.size() >= kDeep) continue;
    for (const int64_t id : {kA, kB}) {
      open.push_back(ids);
      open.back().push_back(id);
    }
  }
  return table;
}

// Whether the first n of both are the same, in every bit.
bool same_first(const std::vector<Hypothesis>& a, const std::vector<Hypothesis>& b, int64_t n) {
  const auto same = [](const Hypothesis& x, const Hypothesis& y) {
    return x.ids == y.ids && x.token_log_probs == y.token_log_probs && x.log_prob == y.log_prob &&
           x.score == y.score && x.ended == y.ended;
  };
  return std::ssize(a) >= n && std::ssize(b) >= n &&
         std::equal(a.begin(), a.begin() + n, b.begin(), same);
}

struct Case {
  uint64_t seed;
  BeamOptions options;
  Table table;
};

// Whether f(case) holds for one of models, penalties, widths and lists of many sorts.
bool any_case(const std::function<bool(const Case&)>& f) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const Table table = tempting_table(seed, seed % 4 == 0);
    for (const double alpha : {-1.0, 0.0, 0.6, 1.0, 2.5})
      for (const int64_t beam : {2, 4, 6})
        for (int64_t n = 1; n <= beam; ++n)
          if (f({seed, {.beam = beam, .length_penalty = alpha, .n_best = n}, table})) return true;
  }
  return false;
}

std::vector<Hypothesis> whole(const Case& c) {
  return decode_one(c.table,
                    Counted({.beam = c.options.beam, .length_penalty = c.options.length_penalty}));
}

// Whether there is a case where an end by this rule finds other translations than the whole search.
bool is_found_out(const Hasty::Rule& rule) {
  return any_case([&](const Case& c) {
    BeamOptions all = c.options;
    all.n_best = 0;
    const Hasty hasty(all, c.options.n_best, rule);
    return !same_first(decode_one(c.table, hasty), whole(c), c.options.n_best);
  });
}

}  // namespace

TEST_CASE("a search for the n best ends early, and finds those of the whole search") {
  int64_t steps = 0, whole_steps = 0;
  any_case([&](const Case& c) {
    CAPTURE(c.seed, c.options.beam, c.options.n_best, c.options.length_penalty);
    BeamOptions all = c.options;
    all.n_best = 0;
    const Counted early(c.options), late(all);
    REQUIRE(same_first(decode_one(c.table, early), decode_one(c.table, late), c.options.n_best));
    REQUIRE(early.steps <= late.steps);
    if (c.options.n_best == c.options.beam) REQUIRE(early.steps == late.steps);
    steps += early.steps;
    whole_steps += late.steps;
    return false;
  });
  CHECK(static_cast<double>(steps) < 0.95 * static_cast<double>(whole_steps));
}

TEST_CASE("ends of a beam search that are too early are found out here") {
  CHECK(is_found_out([](const auto&, double, double, const Penalty&) { return true; }));
  // By the length so far, as if nothing could gain by going on.
  CHECK(is_found_out([](const auto& scores, double best, double length, const Penalty& penalty) {
    return scores.back() >= best / penalty(length);
  }));
  // As if it always could.
  CHECK(is_found_out([](const auto& scores, double best, double, const Penalty& penalty) {
    return scores.back() >= best / penalty(kDeep);
  }));
  // By the first of those wanted, with the right bound.
  CHECK(is_found_out([](const auto& scores, double best, double length, const Penalty& penalty) {
    return scores[0] >= std::max(best / penalty(length), best / penalty(kDeep));
  }));
}

TEST_CASE("a bound counts that rounded certainties may lie above 0") {
  // The end has a log-probability of -0.1, what goes on of -0.101 and then 0.0009 a step.
  Table table = tempting_table(1, false);
  for (auto& [ids, next] : table) next = {{kEnd, 0}, {kA, 0.5}, {kB, 0.5}};
  table[{}] = {{kEnd, std::exp(-0.1)}, {kA, std::exp(-0.101)}, {kB, 1e-9}};
  for (Ids ids{kA}; ids.size() < kDeep; ids.push_back(kA))
    table[ids] = {{kEnd, ids.size() == 4 ? 1.0009 : 0}, {kA, 1.0009}, {kB, 1e-9}};
  const BeamOptions options{.beam = 2, .length_penalty = 0, .n_best = 1};
  CHECK(decode_one(table, Counted(options))[0].ids == Ids{kA, kA, kA, kA});
}

TEST_CASE("between equal scores the earlier end is first, with an early end too") {
  const Table table{{{}, {{kEnd, 0.25}, {kA, 0.5}, {kB, 0.25}}},
                    {{kA}, {{kEnd, 0.5}, {kA, 0.25}, {kB, 0.25}}},
                    {{kB}, {{kEnd, 1}, {kA, 0}, {kB, 0}}},
                    {{kA, kA}, {{kEnd, 1}, {kA, 0}, {kB, 0}}},
                    {{kA, kB}, {{kEnd, 1}, {kA, 0}, {kB, 0}}}};
  for (const int64_t n : {0, 1, 2, 3})
    CHECK(decode_one(table, Counted({.beam = 3, .length_penalty = 0, .n_best = n}))[0].ids.empty());
}

TEST_CASE("what a forced prefix adds to the longest translation counts in the bound") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Table table = tempting_table(seed, false);
    for (const int64_t n : {1, 2}) {
      const Counted early({.beam = 4, .n_best = n}), late({.beam = 4});
      class Short : public ForcedPrefix {
       public:
        explicit Short(const Strategy& inner) : ForcedPrefix(inner, {{0, {kB, kA}}}) {}
        int64_t longest(int64_t, int64_t) const override { return kDeep; }
      };
      CAPTURE(seed, n);
      CHECK(same_first(decode_one(table, Short(early)), decode_one(table, Short(late)), n));
    }
  }
}

TEST_CASE("beam search says how many of the best it can find") {
  CHECK(message_of([] { BeamSearch({.beam = 2, .n_best = 3}); }) ==
        "decode: n_best must be in [0, 2], the beam; got 3");
  CHECK(message_of([] { BeamSearch({.beam = 2, .n_best = -1}); }) ==
        "decode: n_best must be in [0, 2], the beam; got -1");
}
