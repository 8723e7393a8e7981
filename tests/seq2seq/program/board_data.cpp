#include <weft/seq2seq/lab/film.h>
#include <weft/seq2seq/program/detail/board_data.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace weft;

namespace {

using Json = nlohmann::json;

const char* const kLine = R"({"step":10,"loss":2.5,"seconds":1})";

// A run's directory as the page follows it.
struct FollowedRun {
  TempDir dir;
  BoardSeen seen;

  void append(const std::string& file, const std::string& text) const {
    std::ofstream(dir / file, std::ios::binary | std::ios::app) << text;
  }
  Json ask() {
    Json data = Json::parse(board_data(dir.path(), seen));
    seen.metrics = data["metrics"]["cursor"];
    seen.samples = data["samples"]["cursor"];
    for (auto [tag, key] : {std::pair{&seen.film, "film"}, std::pair{&seen.settings, "settings"},
                            std::pair{&seen.summary, "summary"}})
      if (!data[key].is_null()) *tag = data[key]["tag"];
    return data;
  }
};

}  // namespace

TEST_CASE("board: of a directory that is still to come there is nothing") {
  const TempDir dir;
  const Json data = Json::parse(board_data(dir / "none", {}));
  CHECK(data["metrics"]["lines"].empty());
  CHECK(data["age"].is_null());
  for (const char* file : {"film", "settings", "summary"}) CHECK(data[file].is_null());
}

TEST_CASE("board: what a log says anew is told once") {
  FollowedRun run;
  run.append("metrics.jsonl", std::string(kLine) + "\n" + R"({"step":20,"lo)");
  Json data = run.ask();
  CHECK(data["metrics"]["lines"] == Json::parse(R"([{"step":10,"loss":2.5,"seconds":1}])"));
  CHECK(data["metrics"]["anew"] == true);
  CHECK(data["age"] < 60);
  CHECK(run.ask()["metrics"]["lines"].empty());
  run.append("metrics.jsonl", R"(ss":2})"
                              "\n");
  data = run.ask();
  CHECK(data["metrics"]["lines"] == Json::parse(R"([{"step":20,"loss":2}])"));
  CHECK(data["metrics"]["anew"] == false);
  run.dir.write("metrics.jsonl", R"({"step":5,"loss":3})"
                                 "\n");
  data = run.ask();
  CHECK(data["metrics"]["lines"] == Json::parse(R"([{"step":5,"loss":3}])"));
  CHECK(data["metrics"]["anew"] == true);
}

TEST_CASE("board: damaged lines are counted, and nothing but numbers is told of metrics") {
  FollowedRun run;
  for (const char* line :
       {"{", "[1]", "\xff", R"({"step":1,"loss":"\xff"})", R"({"loss":1})", R"({"step":-1})",
        R"({"step":1.5})", R"({"step":1,"a":{"b":1}})", "nonsense"})
    run.append("metrics.jsonl", std::string(line) + "\n");
  run.append("metrics.jsonl", R"({"step":1,"loss":null,"text":"<b>","list":[1],"bleu":1e3})"
                              "\n");
  std::string many = R"({"step":1)";
  for (int i = 0; i < 100; ++i) many += fmt::format(R"(,"x{}":1)", i);
  run.append("metrics.jsonl", many + "}\n");
  const Json data = run.ask();
  CHECK(data["metrics"]["damaged"] == 10);
  CHECK(data["metrics"]["lines"] == Json::parse(R"([{"step":1,"bleu":1000.0}])"));
}

TEST_CASE("board: samples are told as the texts that they are") {
  FollowedRun run;
  run.append("samples.jsonl", R"({"step":0,"source":["<img>"],"reference":["b"],"other":"c"})"
                              "\n");
  run.append("samples.jsonl", R"({"step":5,"translation":["\u0000\"</script>"]})"
                              "\n");
  run.append("samples.jsonl", R"({"step":5,"translation":[1,2]})"
                              "\n");
  const Json data = run.ask()["samples"];
  CHECK(data["damaged"] == 1);
  CHECK(data["lines"][0] == Json::parse(R"({"step":0,"source":["<img>"],"reference":["b"]})"));
  CHECK(data["lines"][1] == Json::parse(R"({"step":5,"translation":["\u0000\"</script>"]})"));
}

TEST_CASE("board: other files are told whole where they changed") {
  FollowedRun run;
  run.dir.write("run.toml", "# help\nlr = 0.1\ntask = \"sort\"\nema = false\n");
  run.dir.write("summary.json", "{\n  \"task\": \"sort\",\n  \"bleu\": 1.5\n}\n");
  save_film(run.dir / kFilm, {.layers = {"a"},
                              .attention = {},
                              .source = {"x"},
                              .predicted = {"y"},
                              .map_layers = 1,
                              .frames = {{10, 8, {1}, {2}, {}, {}, {0.5}}}});
  Json data = run.ask();
  CHECK(data["settings"]["value"] == Json::parse(R"({"lr":"0.1","task":"sort","ema":"false"})"));
  CHECK(data["summary"]["value"] == Json::parse(R"({"task":"sort","bleu":1.5})"));
  CHECK(data["film"]["value"][0]["layers"] == Json::parse(R"(["a"])"));
  CHECK(data["film"]["value"][1]["maps"] == Json::parse("[0.5]"));
  data = run.ask();
  for (const char* file : {"film", "settings", "summary"}) CHECK(data[file].is_null());
  std::filesystem::remove(run.dir / "summary.json");
  CHECK(run.ask()["summary"]["value"].is_null());
  CHECK(run.ask()["summary"].is_null());
}

TEST_CASE("board: damaged files have a note") {
  FollowedRun run;
  run.dir.write("run.toml", "lr = \n");
  run.dir.write("summary.json", "{\"a\": \"\xff\"}\n");
  run.dir.write("film.jsonl", "{\"format\":\"other\"}\n");
  const Json data = run.ask();
  for (const auto& [key, file] :
       {std::pair{"settings", "run.toml: run.toml, line 1: "},
        std::pair{"summary", "summary.json: "},
        std::pair{"film", "film.jsonl: film.jsonl, line 1: the format"}}) {
    CHECK(data[key]["value"].is_null());
    CHECK_THAT(data[key]["note"].get<std::string>(), Catch::Matchers::StartsWith(file));
  }
  const std::vector<std::string> many(65, "x");
  save_film(run.dir / kFilm, {.layers = {"a"},
                              .attention = {},
                              .source = many,
                              .predicted = {},
                              .map_layers = 0,
                              .frames = {{10, 8, {1}, {2}, {}, {}, {}}}});
  CHECK(run.ask()["film"]["note"] ==
        "film.jsonl: at most 64 tokens and 256 layers can be shown; got 65 and 1");
  run.dir.write("run.toml", std::string(2 << 20, '#') + "\n");
  CHECK(run.ask()["settings"]["note"] == "run.toml: is longer than 1048576 bytes");
}

TEST_CASE("board: a log that cannot be read has a note, until it can") {
  FollowedRun run;
  run.append("metrics.jsonl", std::string(kLine) + "\n");
  const std::string seen = run.ask()["metrics"]["cursor"];
  std::filesystem::rename(run.dir / "metrics.jsonl", run.dir / "aside");
  std::filesystem::create_symlink("metrics.jsonl", run.dir / "metrics.jsonl");
  const Json data = Json::parse(board_data(run.dir.path(), run.seen));
  CHECK(data["metrics"] ==
        Json{{"note", "metrics.jsonl: cannot be opened: Too many levels of symbolic links"}});
  CHECK(data["samples"]["lines"].empty());
  std::filesystem::rename(run.dir / "aside", run.dir / "metrics.jsonl");
  CHECK(run.ask()["metrics"]["lines"].empty());
  CHECK(run.seen.metrics == seen);
}

TEST_CASE("board: a run that is to replace a model is the one that is followed") {
  FollowedRun run;
  run.append("metrics.jsonl", std::string(kLine) + "\n");
  run.ask();
  std::filesystem::create_directory(run.dir / "new-run");
  CHECK(run.ask()["metrics"]["anew"] == true);
  run.append("new-run/metrics.jsonl", R"({"step":1})"
                                      "\n");
  CHECK(run.ask()["metrics"]["lines"] == Json::parse(R"([{"step":1}])"));
  std::filesystem::rename(run.dir / "new-run" / "metrics.jsonl", run.dir / "metrics.jsonl");
  std::filesystem::remove(run.dir / "new-run");
  const Json data = run.ask();
  CHECK(data["metrics"]["anew"] == false);
  CHECK(data["metrics"]["lines"].empty());
}
