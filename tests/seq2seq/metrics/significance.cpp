#include <weft/seq2seq/metrics/significance.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <numeric>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {

const Metric& builtin(const char* name) { return find_named(builtin_metrics(), name, "metric"); }

const Lines kReferences{"a b c d", "e f g", "h i j k l", "m n"};
const Lines kGood{"a b c d", "e f x", "h i j k l", "m n"}, kBad{"a x c d", "e g", "h i k l j", "n"};

}  // namespace

TEST_CASE("the interval leaves out a fortieth at each end") {
  std::vector<double> scores(1000);
  std::iota(scores.rbegin(), scores.rend(), 1.0);
  const Interval found = interval_95(scores);
  CHECK((found.low == 26 && found.high == 975));
  const Interval few = interval_95({3, 1, 2});
  CHECK((few.low == 1 && few.high == 3));
  CHECK(message_of([] { interval_95({}); }) == "interval_95: needs at least one score; got none");
}

TEST_CASE("the p-value of a difference is sacreBLEU's") {
  const std::vector<double> a{30.1, 31.5, 29.2, 30.8, 33.0, 28.4, 30.0, 31.1, 29.9, 32.2};
  const std::vector<double> b{29.5, 30.0, 29.9, 30.1, 30.2, 29.0, 29.7, 30.9, 28.8, 27.4};
  // What sacreBLEU 2.6.0 gives.
  CHECK(paired_p_value(a, b, 0.1) == Approx(4. / 11));
  CHECK(paired_p_value(a, b, 1.2) == Approx(3. / 11));
  CHECK(paired_p_value(a, b, -3) == Approx(2. / 11));
  CHECK(paired_p_value(a, b, 4) == Approx(1. / 11));
  CHECK(paired_p_value(a, a, 0) == 1);  // of a system and itself sacreBLEU says 1 / 11
  CHECK(message_of([&] { paired_p_value(a, {}, 0); }) ==
        "paired_p_value: needs scores of both systems; got 10 and 0");
}

TEST_CASE("resamples are the same with counts and without, for every metric") {
  const BootstrapOptions options{.resamples = 50, .seed = 3};
  for (const Metric& metric : builtin_metrics()) {
    INFO(metric.name);
    Metric whole = metric;
    whole.counts = {};
    CHECK(bootstrap_scores(metric, kBad, kReferences, options) ==
          bootstrap_scores(whole, kBad, kReferences, options));
  }
}

TEST_CASE("resamples have the distribution of drawing with replacement") {
  // Of two sentences, one right: none, one or both draws are the right one.
  const auto scores = bootstrap_scores(builtin("exact"), Lines{"a", "x"}, Lines{"a", "b"},
                                       {.resamples = 20000, .seed = 1});
  for (const auto& [score, share] : {std::pair{0., .25}, {50., .5}, {100., .25}}) {
    const auto found = std::count(scores.begin(), scores.end(), score);
    CHECK(static_cast<double>(found) / 20000 == Approx(share).margin(0.014));  // 4 sigma
  }
  CHECK(bootstrap_scores(builtin("exact"), kGood, kReferences, {100, 1}) !=
        bootstrap_scores(builtin("exact"), kGood, kReferences, {100, 2}));
}

TEST_CASE("two systems are compared on the same resamples") {
  for (const Metric& metric : builtin_metrics()) {
    INFO(metric.name);
    const BootstrapOptions options{.resamples = 200, .seed = 7};
    const PairedBootstrap found = paired_bootstrap(metric, kGood, kBad, kReferences, options);
    CHECK(found.score_a == metric.score(kGood, kReferences));
    CHECK(found.score_b == metric.score(kBad, kReferences));
    const auto a = bootstrap_scores(metric, kGood, kReferences, options);
    const auto b = bootstrap_scores(metric, kBad, kReferences, options);
    CHECK(found.interval_a.low == interval_95(a).low);
    CHECK(found.interval_b.high == interval_95(b).high);
    CHECK(found.p_value == paired_p_value(a, b, found.score_a - found.score_b));
    int better = 0;
    for (size_t i = 0; i < a.size(); ++i) better += metric.better(a[i], b[i]);
    CHECK(found.share_better == better / 200.);
  }
  const PairedBootstrap same =
      paired_bootstrap(builtin("wer"), kBad, kBad, kReferences, {.resamples = 99, .seed = 0});
  CHECK(same.share_better == 0);
  CHECK(same.p_value == 1);
  CHECK(message_of([] {
          bootstrap_scores(builtin("wer"), kBad, kReferences, {.resamples = 0, .seed = 0});
        }) == "bootstrap_scores: resamples must be at least 1; got 0");
  CHECK(message_of([] { bootstrap_scores(builtin("wer"), Lines{}, Lines{}); }) ==
        "bootstrap_scores: needs sentences and one reference for each; got 0 hypotheses and 0 "
        "references");
}
