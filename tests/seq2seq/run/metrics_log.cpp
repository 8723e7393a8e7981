#include <sys/resource.h>
#include <weft/seq2seq/run/metrics_log.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <csignal>
#include <limits>

using namespace weft;

TEST_CASE("metrics are one JSON object a line and are continued by the next run") {
  const TempDir dir;
  MetricsLog(dir / "m.jsonl", 0, 0).write(TrainingRecord{20, 1, 3.5, 1000, 0.25, 2, 1.5});
  MetricsLog second(dir / "m.jsonl", 20, 20);
  second.write(ValidationRecord{20, 1.5, 3.25, "bleu", 12.5});
  // Read while the log is still open: lines are flushed.
  CHECK(dir.read("m.jsonl") ==
        R"({"step":20,"epoch":1,"loss":3.5,"tokens_per_second":1000.0,"learning_rate":0.25,)"
        R"("gradient_norm":2.0,"seconds":1.5})"
        "\n"
        R"({"step":20,"seconds":1.5,"valid_loss":3.25,"bleu":12.5})"
        "\n");
}

TEST_CASE("what a crashed run logged after its checkpoint is cut off when it goes on") {
  const TempDir dir;
  const std::string kept = "{\"step\":10,\"loss\":2.5}\n{\"step\":20,\"bleu\":1.0}\n";
  dir.write("m.jsonl", kept + "{\"step\":30,\"loss\":2.25}\n{\"step\":40,\"lo");
  const MetricsLog log(dir / "m.jsonl", 20, 20);
  CHECK(dir.read("m.jsonl") == kept);
}

TEST_CASE("the log of a validation that a crash left undone is cut off, that of its step stays") {
  const TempDir dir;
  const std::string kept = "{\"step\":10,\"valid_loss\":2.5}\n{\"step\":20,\"loss\":2.0}\n";
  dir.write("m.jsonl", kept + "{\"step\":20,\"valid_loss\":2.25}\n");
  const MetricsLog log(dir / "m.jsonl", 20, 10);
  CHECK(dir.read("m.jsonl") == kept);
}

TEST_CASE("skipped updates are counted where there are some") {
  const TempDir dir;
  TrainingRecord record{.step = 3, .loss = 2};
  record.skipped = 2;
  MetricsLog(dir / "m.jsonl", 0, 0).write(record);
  CHECK_THAT(dir.read("m.jsonl"), Catch::Matchers::EndsWith(",\"skipped\":2}\n"));
}

TEST_CASE("a loss that is not a number is written as null") {
  const TempDir dir;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  MetricsLog(dir / "m.jsonl", 0, 0).write(ValidationRecord{1, 0, nan, "bleu", 0});
  CHECK(dir.read("m.jsonl") == R"({"step":1,"seconds":0.0,"valid_loss":null,"bleu":0.0})"
                               "\n");
}

TEST_CASE("the summary holds the keys in order") {
  const TempDir dir;
  write_summary(dir / "summary.json", {"german",
                                       400,
                                       12.5,
                                       12345,
                                       50000,
                                       350,
                                       "bleu",
                                       98.5,
                                       {{"exact_match", 0.995}, {"bleu", 99.5}}});
  CHECK(dir.read("summary.json") ==
        "{\n  \"task\": \"german\",\n  \"steps\": 400,\n  \"seconds\": 12.5,\n"
        "  \"parameters\": 12345,\n  \"tokens_per_second\": 50000.0,\n"
        "  \"checkpoint_step\": 350,\n  \"metric\": \"bleu\",\n  \"valid_score\": 98.5,\n"
        "  \"exact_match\": 0.995,\n  \"bleu\": 99.5\n}\n");
}

TEST_CASE("no half line stays where a disk fills up") {
  const TempDir dir;
  MetricsLog log(dir / "m.jsonl", 0, 0);
  log.write(ValidationRecord{1, 0, 2, "bleu", 3});
  const std::string whole = dir.read("m.jsonl");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{whole.size() + 10, before.rlim_max};  // stands for a full disk
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { log.write(ValidationRecord{2, 0, 2, "bleu", 3}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message == "log: cannot write '" + (dir / "m.jsonl").string() + "': File too large");
  CHECK(dir.read("m.jsonl") == whole);
}

TEST_CASE("a full disk and a missing folder are errors") {
  const TempDir dir;
  MetricsLog full("/dev/full", 0, 0);
  CHECK(message_of([&] { full.write(ValidationRecord{}); }) ==
        "log: cannot write '/dev/full': No space left on device");
  const std::string inside = (dir / "none" / "m.jsonl").string();
  CHECK(message_of([&] { MetricsLog log(inside, 0, 0); }) ==
        "log: cannot open '" + inside + "': No such file or directory");
  CHECK(message_of([&] { write_summary(inside, {}); }) ==
        "write: cannot write " + inside + ": No such file or directory");
}
