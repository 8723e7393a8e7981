// The loop that all strategies share: a strategy of one's own, and what the loop refuses.
#include <weft/seq2seq/decoding/decode.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

#include <limits>

using namespace weft;

namespace {

// The less likely of two words, three times, then the end.
class LessLikely : public Strategy {
 public:
  std::vector<Choice> choose(const SentenceState& sentence) const override {
    if (sentence.live[0].ids.size() == 3) return {{0, kEnd}};
    const auto p = sentence.next(0);
    return {{0, p[kA] < p[kB] ? kA : kB}};
  }
};

class NoWidth : public LessLikely {
 public:
  int64_t width() const override { return 0; }
};

// Makes the choices that it is given, the same at every step.
class Fixed : public Strategy {
 public:
  explicit Fixed(std::vector<Choice> choices) : choices_(std::move(choices)) {}
  std::vector<Choice> choose(const SentenceState&) const override { return choices_; }
  int64_t longest(int64_t source_length, int64_t) const override { return source_length; }

 private:
  std::vector<Choice> choices_;
};

const Table kTable{{{}, {{kA, 0.5}, {kB, 0.3}, {kEnd, 0.1}}},
                   {{kA}, {{kA, 0.5}, {kB, 0.3}, {kEnd, 0.1}}},
                   {{kB}, {{kA, 0.3}, {kB, 0.5}, {kEnd, 0.1}}},
                   {{kB, kA}, {{kA, 0.2}, {kB, 0.1}, {kEnd, 0.6}}},
                   {{kB, kA, kB}, {{kEnd, 0.25}}}};

Table with(double log_prob_of_b) {
  return {{{}, {{kEnd, 0.1}, {kA, 0.1}, {kB, std::exp(log_prob_of_b)}}}};
}

std::string refusal(const Table& table, std::vector<Choice> choices) {
  return message_of([&] { decode_one(table, Fixed(std::move(choices))); });
}

}  // namespace

TEST_CASE("a strategy of one's own is one function") {
  const std::vector<Hypothesis> found = decode_one(kTable, LessLikely());
  REQUIRE(found.size() == 1);
  CHECK(found[0].ids == Ids{kB, kA, kB});
  CHECK(found[0].log_prob == Approx(std::log(0.3 * 0.3 * 0.1 * 0.25)));
  CHECK(found[0].score == found[0].log_prob);
  CHECK(found[0].ended);
}

TEST_CASE("a strategy may branch, and decides how long hypotheses may be") {
  // Two ids at most: both live beginnings of the second step are cut off, after what ended.
  const std::vector<Hypothesis> found = decode_one(kTable, Fixed({{0, kB}, {0, kA}, {0, kEnd}}));
  REQUIRE(found.size() == 4);
  CHECK((found[0].ids == Ids{} && found[0].ended));
  CHECK((found[1].ids == Ids{kB} && found[1].ended));
  CHECK((found[2].ids == Ids{kB, kB} && !found[2].ended));
  CHECK((found[3].ids == Ids{kB, kA} && !found[3].ended));
}

TEST_CASE("decode says what is wrong with sources, numbers and choices") {
  TableModel model(kTable);
  const Fixed end({{0, kEnd}});
  const std::vector<Ids> sources{{kA, kEnd}, {}};
  CHECK(message_of([&] { decode(model, sources, end); }) ==
        "decode: a source needs ids; source 1 has none");
  CHECK(message_of([&] {
          decode(model, {sources.data(), 1}, end, std::vector<int64_t>{1, 2});
        }) == "decode: every sentence needs a number, or none; got 2 for 1");
  CHECK(decode(model, {}, end).empty());
  CHECK(message_of([&] { decode(model, {}, NoWidth()); }) ==
        "decode: a strategy's width must be at least 1; got 0");
  CHECK(refusal(kTable, {{1, kA}}) ==
        "decode: a choice must have from in [0, 1) and id in [0, 6); got 1 and 4 for sentence 0");
  CHECK(refusal(kTable, {{0, kIds}}) ==
        "decode: a choice must have from in [0, 1) and id in [0, 6); got 0 and 6 for sentence 0");
  CHECK(refusal(kTable, {{0, -1}}) ==
        "decode: a choice must have from in [0, 1) and id in [0, 6); got 0 and -1 for sentence 0");
  CHECK(refusal(kTable, {}) ==
        "decode: a strategy must continue or end a hypothesis of every sentence; sentence 0 has "
        "none left");
}

TEST_CASE("decode refuses what are no log-probabilities") {
  CHECK(refusal(with(std::numeric_limits<double>::quiet_NaN()), {{0, kEnd}}) ==
        "decode: log-probabilities must be numbers of at most 0; got nan for id 5 of sentence 0: "
        "the weights of the model are damaged");
  CHECK(refusal(with(2.5), {{0, kEnd}}) ==
        "decode: log-probabilities must be numbers of at most 0; got 2.5 for id 5 of sentence 0");
  CHECK(refusal(with(-std::numeric_limits<double>::infinity()), {{0, kEnd}}).empty());
}
