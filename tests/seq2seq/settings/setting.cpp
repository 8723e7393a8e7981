#include <weft/seq2seq/run/config.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <cmath>

using namespace weft;

namespace {

struct Oven : SettingGroup {
  Setting<int64_t> minutes{*this, 30, {"minutes", "", "How long", {.least = 1, .most = 600}}};
  Setting<double> heat{*this, 0.5, {"heat", "", "How hot", {.least = 0, .most = 1}}};
  Setting<bool> fan{*this, false, {"fan", "", "Whether air moves"}};
  Setting<std::string> dish{*this, "", {"dish", "", "What it is"}};
};

// What giving `text` to the setting at `place` says.
std::string complaint(size_t place, const std::string& text) {
  Oven oven;
  return message_of([&] { oven.settings()[place]->give(text); });
}

}  // namespace

TEST_CASE("settings: a group lists its own, and so does a copy") {
  Oven oven;
  oven.settings()[0]->give("45");
  Oven copy = oven;
  copy.settings()[0]->give("50");
  oven.settings()[3]->give("pie");
  CHECK(oven.minutes == 45);
  CHECK(copy.minutes == 50);
  CHECK(copy.dish.value().empty());
  copy = oven;
  CHECK((copy.minutes == 45 && copy.dish.value() == "pie" && copy.minutes.given()));
  CHECK(copy.settings()[3] == &copy.dish);
}

TEST_CASE("settings: numbers are whole, in base ten and nothing else") {
  const std::string whole =
      "minutes: must be a whole number of at most 18 digits, without leading zeros; got ";
  for (const char* text :
       {"010", "0x10", "1e3", "5s", " 5", "5 ", "+5", "five", "5.0", "-", "99999999999999999999"}) {
    CHECK(complaint(0, text) == whole + "'" + text + "'");
  }
  CHECK(complaint(0, "") == "minutes: must not be empty");
  CHECK(complaint(0, "0") == "minutes: must be in [1, 600]; got 0");
  CHECK(complaint(0, "600").empty());
  CHECK(complaint(1, "1e-3").empty());
  CHECK(complaint(1, "0.25").empty());
  CHECK(complaint(1, "00.25") == "heat: must be a number, without leading zeros; got '00.25'");
  CHECK(complaint(1, "nan") == "heat: must be in [0, 1]; got nan");
  CHECK(complaint(1, "inf") == "heat: must be in [0, 1]; got inf");
  CHECK(complaint(2, "yes") == "fan: must be true or false; got 'yes'");
  CHECK(complaint(3, "") == "dish: must not be empty");
}

TEST_CASE("settings: the user comes before the task, and the task before the corpus") {
  Oven oven;
  oven.minutes.fit("20");
  CHECK((oven.minutes == 20 && oven.minutes.fitted()));
  oven.minutes.suggest("10");
  oven.minutes.fit("20");
  CHECK((oven.minutes == 10 && !oven.minutes.given() && !oven.minutes.fitted()));
  oven.minutes.give("40");
  oven.minutes.suggest("10");
  oven.minutes.fit("20");
  CHECK((oven.minutes == 40 && oven.minutes.given()));
}

TEST_CASE("settings: a range says which ends belong to it") {
  CHECK(Range{.least = 0, .most = 1, .with_most = false}.to_string() == "[0, 1)");
  CHECK(kAboveZero.to_string() == "(0, inf)");
  CHECK((!kAboveZero.has(0) && kAboveZero.has(1e-300) && !kAboveZero.has(HUGE_VAL)));
  CHECK((kRate.has(0) && !kRate.has(1)));
}

TEST_CASE("run config: what is saved comes back, whatever its type") {
  const TempDir dir;
  RunConfig config, back;
  config.find("lr").give("1e-07");
  config.find("steps").give("100000000000");
  config.find("train-source").give("a \"b\"\\\n\u00e9'.en");
  config.find("heads").give("8");
  config.save(dir.path());
  back.go_on_from(dir.path());
  for (size_t i = 0; i < config.settings().size(); ++i)
    CHECK(back.settings()[i]->text() == config.settings()[i]->text());
}

TEST_CASE("run config: a run goes on with its own settings, and new limits") {
  const TempDir dir;
  RunConfig run;
  run.find("steps").give("100");
  run.find("lr").give("0.25");
  run.find("clip").give("1");
  run.model.run = "00ff";
  run.save(dir.path());
  RunConfig again;
  again.find("minutes").give("2");
  again.find("clip").give("1e0");
  CHECK(again.go_on_from(dir.path()) ==
        std::vector<std::string>{"--steps 0 instead of 100", "--minutes 2 instead of 0"});
  CHECK((again.train.steps == 0 && again.train.minutes == 2 && again.train.learning_rate == 0.25));
  CHECK(again.model.run == "00ff");
  RunConfig other;
  other.find("clip").give("2");
  CHECK(message_of([&] { other.go_on_from(dir.path()); }) ==
        "train: --resume needs the run's --clip 1; got 2");
}

TEST_CASE("run config: learning rate and patience may change, and files move, which is said") {
  const TempDir dir;
  RunConfig run, again;
  run.find("data").give("/a");
  run.save(dir.path());
  again.find("lr").give("0.001");
  again.find("patience").give("3");
  again.find("data").give("/b");
  CHECK(again.go_on_from(dir.path()) == std::vector<std::string>{"--data /b instead of /a",
                                                                 "--lr 0.001 instead of 0.005",
                                                                 "--patience 3 instead of 10"});
  CHECK((again.train.learning_rate == 0.001 && again.train.patience == 3));
}

TEST_CASE("run config: a run.toml that was changed is no run's") {
  const TempDir dir;
  RunConfig().save(dir.path());
  std::string text = dir.read("run.toml");
  text.replace(text.find("lr = 0.005"), 10, "lr = 0.006");
  dir.write("run.toml", text);
  RunConfig again;
  CHECK(message_of([&] { again.go_on_from(dir.path()); }) ==
        (dir / "run.toml").string() +
            ": it was changed since weft wrote it: its checksum is wrong");
  CHECK_NOTHROW(again.read_file(dir / "run.toml"));  // as a --config file it may be
  CHECK(again.train.learning_rate == 0.006);
}

TEST_CASE("run config: a file of settings is checked line by line") {
  const TempDir dir;
  const auto complaint_of = [&](const std::string& text) {
    RunConfig config;
    const auto file = dir.write("c.toml", text);
    const std::string message = message_of([&] { config.read_file(file); });
    return message.empty() ? "" : message.substr(file.string().size());
  };
  CHECK(complaint_of("steps = 7\nlr = 1\n").empty());
  CHECK(complaint_of("steps = 7\nstep = 8\n") == ", line 2: there is no setting 'step'");
  CHECK(complaint_of("\nheads = 0") == ", line 2: heads: must be in [1, 16777216); got 0");
  CHECK(complaint_of("steps = [7]") ==
        ", line 1: steps: must be a number, a string, true or false");
  CHECK(complaint_of("steps = 7\nsteps = 7").starts_with(", line 2: "));
  CHECK(complaint_of("lr == 3").starts_with(", line 1: "));
}
