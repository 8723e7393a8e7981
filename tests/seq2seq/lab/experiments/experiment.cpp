#include <weft/core/error.h>
#include <weft/seq2seq/lab/experiments/experiment.h>
#include <weft/tests/catch.h>

#include <limits>

using namespace weft;

TEST_CASE("a table gives its numbers by labels and column") {
  const ExperimentTable table{{"model", "weights", "AER"}, {{"a", "x", 1.}, {"a", "y", 2.}}};
  CHECK(table.at({"a", "y"}, "AER") == 2);
  CHECK(table.at({"a"}, "AER") == 1);
  CHECK(message_of([&] { table.at({"b"}, "AER"); }) == "experiment: the table has no row 'b'");
  CHECK(message_of([&] { table.at({"a"}, "JSD"); }) == "experiment: the table has no column 'JSD'");
}

TEST_CASE("a result as text: words left, numbers right, the verdict below") {
  ExperimentResult result;
  result.table = {{"model", "AER"},
                  {{"a", 1.23456}, {"recurrent", std::numeric_limits<double>::quiet_NaN()}}};
  result.verdict = "So it is.";
  CHECK(to_text(result) ==
        "model        AER\n"
        "a          1.235\n"
        "recurrent      -\n"
        "\nSo it is.\n");
}

TEST_CASE("experiments have names of their own, and use options that there are") {
  std::vector<std::string> names;
  for (const Experiment& e : builtin_experiments()) names.push_back(e.name);
  CHECK(names == std::vector<std::string>{"alignment", "heads", "depth", "explanation"});
}
