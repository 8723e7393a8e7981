// Work that processes share out: what one sends to another, and that who does what changes nothing.
#include <weft/core/error.h>
#include <weft/seq2seq/lab/experiments/alignment.h>
#include <weft/seq2seq/lab/experiments/heads.h>
#include <weft/seq2seq/lab/sentence_tables.h>
#include <weft/seq2seq/lab/share.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/experiments/toy_subject.h>
#include <weft/tests/seq2seq/lab/pair.h>

#include <algorithm>
#include <bit>
#include <limits>

using namespace weft;

namespace {

void add(SentenceTables& tables, const Study& study, const std::vector<Link>& gold) {
  const std::vector<Measured> taken = take(builtin_measures(), study, true);
  tables.agreement.add(study, taken, gold);
  tables.faithfulness.add(study, taken);
  tables.heads.add(study);
}

// The last item first, as if it came from somewhere else.
std::vector<std::string> backwards(int64_t n, const std::function<std::string(int64_t)>& f) {
  std::vector<std::string> all;
  for (int64_t i = n; i-- > 0;) all.push_back(f(i));
  std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("sentence tables: those of each sentence add up to those of all, by way of bytes too") {
  LabPair p;
  const std::vector<Link> gold{{0, 0}, {1, 1}, {3, 2}};
  const Study a(*p.model, p.source, p.target), b(*p.model, {12, 6, 9, kEnd}, p.target);
  SentenceTables all, sum;
  for (const Study* study : {&a, &b}) {
    add(all, *study, gold);
    SentenceTables one;
    add(one, *study, gold);
    sum.add(SentenceTables::from_bytes(one.bytes()));
  }
  CHECK(sum.bytes() == all.bytes());
  CHECK(sum.heads.average(Place::cross, HeadTable::kImportance) ==
        all.heads.average(Place::cross, HeadTable::kImportance));
  REQUIRE(sum.agreement.rows().size() > 10);
  CHECK(sum.agreement.rows()[0].counts.found == 6);
  REQUIRE(sum.faithfulness.rows().size() > 5);
  CHECK(sum.faithfulness.rows()[0].counts[FaithfulnessTable::kAopc] == 2);
  const std::string bytes = all.bytes();
  CHECK_THROWS_AS(SentenceTables::from_bytes(bytes.substr(0, bytes.size() - 1)), InternalError);
}

TEST_CASE("shared numbers keep their bits and their order") {
  const std::vector<double> numbers{0.1, -0., std::numeric_limits<double>::quiet_NaN(), 1e308};
  for (const ShareOut& share : {ShareOut(all_here), ShareOut(backwards)}) {
    const std::vector<double> found = share_numbers(
        share, std::ssize(numbers), [&](int64_t i) { return numbers[static_cast<size_t>(i)]; });
    REQUIRE(found.size() == numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i)
      CHECK(std::bit_cast<uint64_t>(found[i]) == std::bit_cast<uint64_t>(numbers[i]));
  }
}

TEST_CASE("experiments: who looks at which sentence changes nothing") {
  ToySubject toy;
  Subject subject = toy.with(builtin_measures());
  const auto texts = [&] {
    return std::pair(
        to_text(alignment_experiment(subject, {.sentences = 1})),
        to_text(heads_experiment(subject, {.sentences = 2, .points = 4, .orders = 2})));
  };
  const auto here = texts();
  int64_t shared = 0;
  subject.share = [&](int64_t n, const std::function<std::string(int64_t)>& f) {
    shared += n;
    return backwards(n, f);
  };
  CHECK(texts() == here);
  // Alignment: a sentence, one that chooses, and the links of both; heads: two sentences, and four
  // curves of five points.
  CHECK(shared == 1 + 1 + 2 + 2 + 4 * 5);
}
