#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/inspect/faithfulness.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/nn/inspect/soft_faithfulness.h>
#include <weft/nn/inspect/spread.h>
#include <weft/seq2seq/lab/pruning.h>
#include <weft/seq2seq/lab/tables.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/pair.h>

#include <cmath>

using namespace weft;

namespace {

// A measure whose one cross map is this, [H, Tt, Ts].
Measure fixed_map(const Tensor& map) {
  Measure m{.name = "fixed"};
  m.maps = [map](const Study&) { return std::vector<Maps>{{Place::cross, {map}}}; };
  return m;
}

Measure fixed_tokens(const Tensor& values) {
  Measure m{.name = "fixed"};
  m.tokens = [values](const Study&) { return std::vector<TokenNumbers>{{Place::encoder, values}}; };
  return m;
}

}  // namespace

TEST_CASE("agreement counts links of every head, and of their mean, at either step") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  // Words of the target: 3. Row t predicts word t, row t + 1 reads it. Head 1 is right where rows
  // predict, head 2 where they read; their mean is head 2 all over.
  const Tensor map =
      tensor({{{.3, 0, 0, 0, .7}, {0, .3, 0, 0, 0}, {0, 0, 0, .3, 0}, {0, .3, 0, 0, 0}},
              {{0, .9, 0, 0, 0}, {.9, 0, 0, 0, 0}, {0, .9, 0, 0, 0}, {0, 0, 0, .9, 0}}});
  const std::vector<Link> gold{{0, 0}, {1, 1}, {3, 2}};
  const Measure measure = fixed_map(map);
  AgreementTable table;
  table.add(study, take({&measure, 1}, study, true), gold);
  REQUIRE(table.rows().size() == 6);
  for (const AgreementTable::Row& row : table.rows()) {
    CHECK(row.layer == 0);
    CHECK(row.counts.found == 3);
    CHECK(row.counts.sure == 3);
    const bool reads = row.step == ReadAt::kConsumingStep;
    const int64_t right = row.head == 0 ? (reads ? 0 : 3) : (reads ? 3 : 0);
    CHECK(row.counts.found_sure == right);
    CHECK(row.counts.error_rate() == Approx(1 - static_cast<double>(right) / 3));
  }
  table.add(study, take({&measure, 1}, study, true), gold);
  CHECK(table.rows().size() == 6);
  CHECK(table.rows()[0].counts.found == 6);
}

TEST_CASE("faithfulness is that of nn/inspect, from the scores of all subsets") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const NoGrad no_grad;
  const Tensor scores = study.all_subsets(), shares = shapley_values(scores);
  const Tensor values = tensor({0.5, -1., 3., 2., 9.});  // the last is of kEnd, which is no unit
  const Measure measure = fixed_tokens(values);
  FaithfulnessTable table;
  for (int i = 0; i < 2; ++i) table.add(study, take({&measure, 1}, study, true));
  REQUIRE(table.rows().size() == 1);
  const FaithfulnessTable::Row& row = table.rows()[0];
  using Table = FaithfulnessTable;
  CHECK_FALSE(row.layer);
  CHECK(row.counts[Table::kAopc] == 2);
  // Order 2, 3, 0, 1; of 4 tokens a third, rounded up, is 2.
  CHECK(row.mean(Table::kComprehensiveness) ==
        Approx(scores.at({15}) - scores.at({0b0011})).margin(1e-9));
  CHECK(row.mean(Table::kSufficiency) ==
        Approx(scores.at({15}) - scores.at({0b1100})).margin(1e-9));
  // By chance as many, 2 of 4: (0.5, -1, 3, 2) become (0.375, 0, 1, 0.75), whose sum is 0.125 more.
  const double shift = -0.125 / 3;
  const Tensor keep = tensor({0.375 + shift, 0., 1 + shift, 0.75 + shift}, kFloat64);
  CHECK(row.mean(Table::kSoftSufficiency) ==
        Approx(scores.at({15}) - expected_score(scores, keep).item()).margin(1e-9));
  CHECK(row.mean(Table::kSoftComprehensiveness) ==
        Approx(scores.at({15}) - expected_score(scores, 1 - keep).item()).margin(1e-9));
  CHECK(row.mean(Table::kAopc) == Approx(aopc(scores, {2, 3, 0, 1})).margin(1e-9));
  CHECK(row.mean(Table::kNormalizedAopc) ==
        Approx(normalized_aopc(scores, {2, 3, 0, 1})).margin(1e-9));

  for (const double sign : {1., -1.}) {
    const Measure own = fixed_tokens(cat({shares * sign, zeros({1}, kFloat64)}, 0));
    FaithfulnessTable of_shapley;
    of_shapley.add(study, take({&own, 1}, study, true));
    CHECK(of_shapley.rows()[0].mean(Table::kShapley) == Approx(sign));
  }
}

TEST_CASE("faithfulness of what says nothing is no number, and long sentences are left out") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const Measure flat = fixed_tokens(zeros({5}));
  FaithfulnessTable table;
  table.add(study, take({&flat, 1}, study, true));
  CHECK(std::isnan(table.rows()[0].mean(FaithfulnessTable::kShapley)));
  CHECK(std::isfinite(table.rows()[0].mean(FaithfulnessTable::kAopc)));
  Generator random(3);
  const Study longer(*p.model, random_source(random, kMostShapleyUnits + 1, kPairIds), p.target);
  const Study one(*p.model, {9, kEnd}, p.target);
  FaithfulnessTable empty;
  for (const Study* s : {&longer, &one}) {
    const Measure fitting = fixed_tokens(zeros({std::ssize(s->source)}));
    empty.add(*s, take({&fitting, 1}, *s, true));
  }
  CHECK(empty.rows().empty());
}

TEST_CASE("a map becomes a number for each source token") {
  const Tensor map = tensor({{{1., 2.}, {3., 4.}}, {{5., 6.}, {7., 8.}}});
  const Tensor found = by_source_token(map);
  CHECK(found.to_vector<double>() == std::vector<double>{3 + 5, 4 + 6});
}

TEST_CASE("the table of heads holds means over sentences") {
  LabPair p;
  const Study a(*p.model, p.source, p.target), b(*p.model, {12, 6, kEnd}, p.target);
  HeadTable table;
  table.add(a);
  table.add(b);
  CHECK(table.places() == std::vector<Place>{Place::encoder, Place::decoder, Place::cross});
  const NoGrad no_grad;
  const auto mean_of = [&](auto f) { return (f(a).item() + f(b).item()) / 2; };
  CHECK(table.average(Place::cross, HeadTable::kImportance)[1][3] ==
        Approx(mean_of([](const Study& s) {
          return select(head_importance(s.trace.cross[1], s.gradients.cross[1]), 0, 3);
        })));
  CHECK(table.average(Place::encoder, HeadTable::kEntropy)[0][2] ==
        Approx(mean_of(
            [](const Study& s) { return mean(select(entropy(s.trace.encoder[0]), 1, 2)); })));
  CHECK(table.average(Place::decoder, HeadTable::kDistance)[1][0] ==
        Approx(mean_of([](const Study& s) {
          return mean(select(expected_distance(s.trace.decoder[1]), 1, 0));
        })));
}

TEST_CASE("pruning goes from all heads to none, whatever the order") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  HeadTable heads;
  heads.add(study);
  const std::vector<Pair> pairs{{p.source, p.target}, {{12, 6, kEnd}, {kBegin, 7, kEnd}}};
  double left = 3;
  const std::vector<PruningScore> scores{log_probability(*p.model, pairs),
                                         {"countdown", [&] { return left--; }}};
  std::vector<PruningCurve> curves;
  for (const auto order : {PruningOrder::importance, PruningOrder::random}) {
    const std::vector<PruningCurve> found = prune(study, heads, order, scores, 5);
    REQUIRE(found.size() == 2);
    CHECK(found[1].metric == "countdown");
    curves.push_back(found[0]);
  }
  CHECK(left == 3 - 14);
  CHECK(curves[0].order == "importance");
  CHECK(curves[1].order == "random");
  std::vector<int64_t> kept;
  for (const auto& point : curves[0].points) kept.push_back(point.kept);
  CHECK(kept == std::vector<int64_t>{24, 20, 16, 12, 8, 4, 0});
  const NoGrad no_grad;
  const Batch both{0, 1};
  const double whole =
      -p.model->loss(pad_ids(pairs, both, &Pair::source), pad_ids(pairs, both, &Pair::target), 0)
           .item();
  for (const PruningCurve& curve : curves) CHECK(curve.points[0].value == Approx(whole));
  CHECK(curves[0].points.back().value == Approx(curves[1].points.back().value));
  CHECK(curves[0].points.back().value != Approx(whole));
  CHECK(-p.loss(p.source) == Approx(study.score() / 4).epsilon(1e-5));  // no mask stayed
}
