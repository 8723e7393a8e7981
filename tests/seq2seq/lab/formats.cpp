#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/seq2seq/lab/formats.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/pair.h>
#include <weft/tests/temp_dir.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace weft;
using Json = nlohmann::json;

namespace {

// 26 words, some of which files must take care of.
std::unique_ptr<Vocabulary> words() {
  std::vector<std::string> all{"</script><b>", "a,b", "c\"d", "\xc3\xa4\xe2\x82\xac"};
  for (int64_t i = 4; i < kPairIds - kSpecials; ++i) all.push_back(fmt::format("w{}", i));
  return word_vocabulary(all);
}

struct Filled {
  LabPair pair;
  std::unique_ptr<Vocabulary> vocabulary = words();
  Report report;

  Filled() {
    // Every odd word of the vocabulary, in order of the alphabet.
    pair.source = {4, 5, 6, kPairIds - 1, kEnd};
    const Study study(*pair.model, pair.source, pair.target);
    report.directory = "m\xff";  // not UTF-8
    report.kind = "transformer";
    report.parameters = 123;
    report.settings = {{"layers", int64_t{2}}, {"dropout", 0.25}, {"norm", std::string("post")}};
    report.measures = builtin_measures();
    const std::vector<Measured> taken = take(report.measures, study, true);
    report.sentences.push_back(report_sentence(study, taken, *vocabulary));
    report.sentences[0].gold = {{{2, 0}, {1, 2}}};
    report.agreement.add(study, taken, *report.sentences[0].gold);
    report.faithfulness.add(study, taken);
    report.heads.add(study);
    const Pair ids{pair.source, pair.target};
    const PruningScore by_log_prob = log_probability(*pair.model, {&ids, 1});
    for (const auto order : {PruningOrder::importance, PruningOrder::random})
      report.pruning.push_back(prune(study, report.heads, order, {&by_log_prob, 1}, 4)[0]);
    report.history = {{"update", "loss"}, {{1, 3.25}, {2, std::nan("")}}};
  }
};

}  // namespace

TEST_CASE("a report as JSON holds what it was filled with") {
  const Filled f;
  const Json r = Json::parse(to_json(f.report));
  CHECK(r["format"] == "weft-lab 1");
  CHECK(r["model"]["directory"] == "m\xef\xbf\xbd");
  CHECK(r["model"]["settings"] == Json{{"layers", 2}, {"dropout", 0.25}, {"norm", "post"}});
  const Json& s = r["sentences"][0];
  CHECK(s["source"][4] == "</s>");
  CHECK(s["target"][0] == "<s>");
  CHECK(s["predicted"][3] == "</s>");
  CHECK(s["log_probs"].size() == 4);
  CHECK(s["gold"] == Json::parse(R"({"sure": [[0, 2], [2, 1]], "possible": []})"));
  CHECK(s["maps"].size() == 8 * 3);
  CHECK(s["tokens"].size() == 5);
  CHECK(r["measures"].size() == 13);
  CHECK(r["measures"]["gradient"]["signed"] == true);
  CHECK(r["agreement"].size() == (4 * 2 * 5 + 4) * 2);
  CHECK(r["agreement"][0]["layer"] == 1);
  CHECK(r["agreement"][0]["head"].is_null());
  CHECK(r["agreement"][0]["offset"] == "input");
  CHECK(r["faithfulness"].size() == 4 * 2 + 4 + 4);
  CHECK(r["heads"][2]["place"] == "cross");
  CHECK(r["heads"][2]["importance"].size() == 2);
  CHECK(r["heads"][2]["importance"][0].size() == 4);
  CHECK(r["pruning"][1]["order"] == "random");
  CHECK(r["history"]["rows"] == Json::parse("[[1, 3.25], [2, null]]"));
}

TEST_CASE("maps in JSON are layers of heads of rows, to five digits") {
  const Filled f;
  const Json r = Json::parse(to_json(f.report));
  const Json& maps = r["sentences"][0]["maps"];
  CHECK(maps[0]["measure"] == "weights");
  CHECK(maps[0]["place"] == "cross");
  const Json& layers = maps[0]["layers"];
  REQUIRE(layers.size() == 2);
  REQUIRE(layers[1].size() == 4);
  REQUIRE(layers[1][3].size() == 4);
  REQUIRE(layers[1][3][2].size() == 5);
  const Tensor& direct = f.report.sentences[0].measured[0].maps[0].layers[1];
  const double value = layers[1][3][2][4];
  CHECK(value == Approx(direct.at({3, 2, 4})).epsilon(5e-5));
  CHECK(Json(value).dump().size() <= 8);
}

TEST_CASE("an empty report is valid JSON with nothing in it") {
  const Json r = Json::parse(to_json({}));
  CHECK(r["sentences"] == Json::array());
  CHECK(r["agreement"] == Json::array());
  CHECK(r["history"].is_null());
}

TEST_CASE("the page holds the JSON, and no word of it ends the script") {
  const Filled f;
  const std::string page = to_html(f.report);
  const std::string start = R"(<script type="application/json" id="report">)";
  const size_t at = page.find(start) + start.size(), end = page.find("</script>", at);
  REQUIRE(end != std::string::npos);
  const std::string json = page.substr(at, end - at);
  CHECK(json.find('<') == std::string::npos);
  CHECK(Json::parse(json) == Json::parse(to_json(f.report)));
  CHECK(page.find("/*REPORT*/") == std::string::npos);
}

TEST_CASE("CSV has a line for every number, and quotes what it must") {
  const Filled f;
  const std::string csv = to_csv(f.report);
  // Heads and layers of four measures, three that have one matrix; source 5, target 4.
  const int64_t cells = 4 * 5 + 5 * 5 + 4 * 4, tokens = 4 * 5 + 4;
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + (4 * 2 * 4 + 4) * cells + tokens);
  CHECK(
      csv.starts_with("sentence,measure,place,layer,head,row,column,row_token,column_token,value\n"
                      "1,weights,cross,1,1,1,1,<s>,</script><b>,"));
  CHECK(csv.find(",\"a,b\",") != std::string::npos);
  CHECK(csv.find(",\"c\"\"d\",") != std::string::npos);
  CHECK(csv.find("1,relevance,cross,,,1,1,") != std::string::npos);
  CHECK(csv.find("1,shapley,source,,,,5,,</s>,0\n") != std::string::npos);
}

TEST_CASE("text draws the weights and prints the tables") {
  const Filled f;
  const std::string text = to_text(f.report, false);
  CHECK(text.find("layer 2, head 4") != std::string::npos);
  CHECK(text.find("Shapley") != std::string::npos);
  CHECK(text.find("Alignment error rate") != std::string::npos);
  CHECK(text.find("naopc") != std::string::npos);
  CHECK(to_text({}, false).empty());
}

TEST_CASE("an npz file begins with an array that NumPy reads") {
  const Filled f;
  const std::string npz = to_npz(f.report);
  CHECK(npz.starts_with("PK\x03\x04"));
  const size_t at = npz.find("0/log_probs.npy") + 15;
  CHECK(npz.substr(at, 6) == "\x93NUMPY");
  uint16_t length = 0;
  std::memcpy(&length, npz.data() + at + 8, 2);
  CHECK((10 + length) % 64 == 0);
  CHECK(npz.substr(at + 10, 59) == "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }  ");
  float first = 0;
  std::memcpy(&first, npz.data() + at + 10 + length, 4);
  CHECK(static_cast<double>(first) == Approx(f.report.sentences[0].log_probs[0]));
  CHECK(npz == to_npz(f.report));  // no clock in it
}

TEST_CASE("the history joins the lines of an update, and skips what is cut off") {
  const TempDir dir;
  const auto file = dir.write("metrics.jsonl",
                              "{\"step\":10,\"loss\":2.5}\n{\"step\":20,\"loss\":1.5}\n"
                              "{\"step\":20,\"valid_loss\":1.25,\"bleu\":null}\n{\"step\":30,\"lo");
  std::vector<std::string> notes;
  const History h = read_history(file, notes);
  CHECK(h.columns == std::vector<std::string>{"update", "loss", "validation", "bleu"});
  REQUIRE(h.rows.size() == 2);
  CHECK(h.rows[1][0] == 20);
  CHECK(h.rows[1][1] == 1.5);
  CHECK(h.rows[1][2] == 1.25);
  CHECK(std::isnan(h.rows[1][3]));
  CHECK(std::isnan(h.rows[0][2]));
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].starts_with("metrics.jsonl, line 4: "));
  CHECK(read_history(dir / "nothing", notes).rows.empty());
  CHECK(notes.size() == 1);
}
