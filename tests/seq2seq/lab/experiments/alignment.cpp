#include <weft/autograd/ops.h>
#include <weft/core/error.h>
#include <weft/seq2seq/lab/experiments/alignment.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/experiments/toy_subject.h>

#include <cmath>
#include <utility>

using namespace weft;

namespace {

// A measure that knows the links: row t, that of the step that predicts word t, has them.
std::vector<Maps> gold(const Study& study) {
  const Tensor links = flip(eye(study.units()), {1});
  const Tensor map = pad(pad(links, 0, 0, 1), 1, 0, 1);  // the ends have none
  return {{Place::cross, {unsqueeze(map, 0)}}};
}

std::vector<Measure> with_gold() {
  std::vector<Measure> measures = builtin_measures();
  measures.insert(
      measures.begin(),
      {.name = "gold", .label = "Gold", .formula = "", .words = "", .reference = "", .maps = gold});
  return measures;
}

}  // namespace

TEST_CASE("alignment: a measure that is the links has no error, where it looks") {
  const ToySubject toy;
  const std::vector<Measure> measures = with_gold();
  const ExperimentResult result = alignment_experiment(toy.with(measures), {.sentences = 2});
  const ExperimentTable& table = result.table;
  CHECK(table.at({"gold", "output"}, "AER %") == 0);
  CHECK(table.at({"gold", "output"}, "precision %") == 100);
  CHECK(table.at({"gold", "output"}, "recall %") == 100);
  // A step late the links are wrong, but of each sentence the last, whose row is all zeros.
  CHECK(table.at({"gold", "input"}, "AER %") == Approx(100 * (1 - 4. / 14)));
  CHECK(std::get<std::string>(table.rows[0][0]) == "gold");
  CHECK(result.verdict.starts_with("Best aligned with the gold links: gold at the output token"));
}

TEST_CASE("alignment: every measure has its rows, with faithfulness in its bounds") {
  const ToySubject toy;
  const ExperimentTable table =
      alignment_experiment(toy.with(builtin_measures()), {.sentences = 2}).table;
  for (const char* measure : {"weights", "gradient", "gradient_attention", "norm_weights",
                              "relevance", "rollout", "flow"})
    for (const char* offset : {"input", "output"}) {
      const double rate = table.at({measure, offset}, "AER %");
      CHECK((rate >= 0 && rate <= 100));
      CHECK(std::abs(table.at({measure, offset}, "shapley")) <= 1);
    }
  CHECK(std::isnan(table.at({"shapley", "-"}, "AER %")));
  CHECK(table.at({"shapley", "-"}, "shapley") == 1);
}

TEST_CASE("alignment needs gold links") {
  ToySubject toy;
  toy.split.gold.clear();
  CHECK(message_of([&] { alignment_experiment(toy.with(builtin_measures()), {}); }) ==
        "alignment: needs gold links between the tokens of the model; its task has none");
}

TEST_CASE("alignment: other sentences choose the layer and the head") {
  const ToySubject toy;
  // Layer 1 has the links of the first sentence, layer 2 those of the second.
  const auto of_one = [](const Study& study) {
    const Tensor right = gold(study)[0].layers[0], wrong = zeros(right.shape());
    const bool first = study.units() == 3;
    return std::vector<Maps>{{Place::cross, {first ? right : wrong, first ? wrong : right}}};
  };
  const std::vector<Measure> measures{{.name = "of one", .maps = of_one}};
  const ExperimentTable table = alignment_experiment(toy.with(measures), {.sentences = 1}).table;
  // Zeros link each word to the first one, as one of the 3 is.
  CHECK(table.at({"of one", "output", "2"}, "AER %") == Approx(100 * (1 - 2. / 6)));
}

TEST_CASE("alignment: what one link a word cannot reach") {
  ToySubject toy;
  toy.split.gold = {{{0, 0}, {0, 1}, {1, 1}, {2, 2}, {0, 2}}, {{0, 0}}};
  const std::vector<Measure> measures{{.name = "weights", .maps = gold}};
  const ExperimentResult result = alignment_experiment(toy.with(measures), {.sentences = 2});
  // Of 6 links, 3 + 1 in either sentence: 1 - 2 * 4 / (4 + 6).
  CHECK(result.verdict.ends_with("One right link of each target word would leave 20.0 %."));
}

TEST_CASE("alignment: a model of the other direction finds the second links of words") {
  ToySubject toy;
  // Each target word goes with the first source word, and the first one with all of them.
  toy.split.gold = {{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {2, 0}},
                    {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 0}, {2, 0}, {3, 0}}};
  const auto first = [](const Study& study) {
    const Tensor column = ones({1, study.rows(), 1});
    return std::vector<Maps>{{Place::cross, {pad(column, 2, 0, study.units())}}};
  };
  const std::vector<Measure> measures{{.name = "first", .maps = first}};
  ToySubject back;
  std::swap(back.split.text.source, back.split.text.target);
  back.split.gold = toy.split.gold;
  const ExperimentTable table =
      alignment_experiment(toy.with(measures), {.sentences = 2, .reverse = back.with(measures)})
          .table;
  const auto rate = [&](const char* links) {
    return table.at({"first", "input", "1", "mean", links}, "AER %");
  };
  CHECK(rate("strongest") == Approx(100 * (1 - 14. / 19)));  // 3 + 4 of 5 + 7 links
  CHECK(rate("lexical") == rate("strongest"));               // all say the same
  CHECK(rate("both ways") == Approx(0).margin(1e-12));
  CHECK(rate("lexical, both ways") == Approx(0).margin(1e-12));

  CHECK(message_of(
            [&] { alignment_experiment(toy.with(measures), {.reverse = toy.with(measures)}); }) ==
        "alignment: expected the same validation sentences in the reverse direction; got others");
}

TEST_CASE("alignment: the lexicon is of all sentences, those that choose included") {
  const ToySubject toy;
  // The word z of the first sentence leans to b; in the second c goes with z, and b with y.
  const auto map = [](const Study& study) {
    const Tensor leaning = from_vector(
        std::vector<float>{0, 1.1F, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, {1, 4, 4});
    if (study.units() == 3) return std::vector<Maps>{{Place::cross, {leaning}}};
    return gold(study);
  };
  const std::vector<Measure> measures{{.name = "almost", .maps = map}};
  const ExperimentTable table = alignment_experiment(toy.with(measures), {.sentences = 1}).table;
  const auto rate = [&](const char* links) {
    return table.at({"almost", "output", "1", "mean", links}, "AER %");
  };
  CHECK(rate("strongest") == Approx(100 * (1 - 4. / 6)));
  CHECK(rate("lexical") == Approx(0).margin(1e-12));
}
