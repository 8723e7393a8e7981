// BLEU, chrF and TER of inputs that are easily got wrong; the expected scores come from
// sacreBLEU 2.6.0.
#include <weft/seq2seq/metrics/bleu.h>
#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/metrics/ter.h>
#include <weft/tests/catch.h>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {

struct Case {
  const char* name;
  Lines hypotheses, references;
  double bleu_13a, bleu_lower_case_words, chrf, ter;
};

// `n` words, of which `of` differ.
std::string series(int n, int step, int of) {
  std::string text;
  for (int i = 0; i < n; ++i) text += (i ? " w" : "w") + std::to_string(i * step % of);
  return text;
}

std::string ten_times(const std::string& text) {
  std::string all;
  for (int i = 0; i < 10; ++i) all += text;
  return all;
}

const std::vector<Case> kCases{
    {"both empty", {""}, {""}, 0, 0, 0, 0},
    {"empty hypothesis", {""}, {"a b c"}, 0, 0, 0, 100},
    {"empty reference", {"a b c"}, {""}, 0, 0, 0, 100},
    {"blanks alone", {" \t "}, {"\u00a0\u3000"}, 0, 0, 0, 0},
    {"an empty line among others",
     {"the cat sat on the mat", ""},
     {"the cat sat on a mat", "a dog"},
     38.4981500776355,
     38.4981500776355,
     65.640319295833,
     37.5},
    {"only punctuation",
     {"... ?! ,"},
     {"... !? ;"},
     34.329452398452,
     0,
     24.7222222222222,
     66.6666666666667},
    {"punctuation that sticks",
     {"(a),\"b\"; c-d's 5-3 1,000.5."},
     {"( a ) , \" b \" ; c - d 's 5 - 3 1,000.5 ."},
     63.1603770070813,
     0,
     100,
     100},
    {"entities",
     {"a &lt;b&gt; &amp;amp; &quot;c&quot; <skipped>"},
     {"a <b> & \"c\""},
     52.5381978884832,
     10.6821751599058,
     6.84931506849315,
     100},
    {"case",
     {"The CAT Sat On THE mat"},
     {"the cat sat on the mat"},
     8.11669788687747,
     100,
     13.1209150326797,
     0},
    {"one word", {"a"}, {"a"}, 0, 0, 100, 0},
    {"three words", {"a b c"}, {"a b c"}, 0, 0, 100, 0},
    {"nothing in common", {"a b c d e"}, {"v w x y z"}, 0, 0, 0, 100},
    {"a hypothesis far longer",
     {ten_times("a b c d ")},
     {"a b c d"},
     5.75142327589056,
     5.75142327589056,
     25.5237767657329,
     900},
    {"a reference far longer",
     {"a b c d"},
     {ten_times("a b c d ")},
     0.012340980408668,
     0.012340980408668,
     7.8916246939972,
     90},
    {"one word against many", {"w3"}, {series(120, 1, 120)}, 0, 0, 0.506700519871075, 100},
    {"many words against one",
     {series(120, 1, 120)},
     {"w3"},
     0.298370572351363,
     0.298370572351363,
     1.99645395182564,
     11900},
    {"repeated words",
     {"the the the the the the the"},
     {"the cat is on the mat"},
     7.80984984230064,
     7.80984984230064,
     14.2324268481596,
     83.3333333333333},
    {"a block moved",
     {"d e f g h a b c"},
     {"a b c d e f g h"},
     69.1441569283883,
     69.1441569283883,
     52.8968253968254,
     12.5},
    {"two blocks moved",
     {"e f g h c d a b i"},
     {"a b c d e f g h i"},
     41.535092372064,
     41.535092372064,
     34.6230158730159,
     22.2222222222222},
    {"a block of twelve moved",
     {"m n a b c d e f g h i j k l"},
     {"a b c d e f g h i j k l m n"},
     89.0690085283269,
     89.0690085283269,
     85.8728308728309,
     7.14285714285714},
    {"moved sixty words away",
     {"x " + series(60, 1, 60)},
     {series(60, 1, 60) + " x"},
     98.7258544901434,
     98.7258544901434,
     99.5039331000915,
     3.27868852459016},
    {"few words in another order, many times",
     {series(60, 7, 5)},
     {series(64, 3, 5)},
     1.57384995444981,
     1.57384995444981,
     39.5434498407561,
     75},
    {"a long sentence with faults",
     {series(90, 7, 31)},
     {series(97, 5, 31)},
     1.13848827935369,
     1.13848827935369,
     54.0314672090216,
     91.7525773195876},
    {"umlauts, accents, combining marks",
     {"Ärger über cafe\u0301 naïve"},
     {"ärger uber café naïve"},
     15.9735776061568,
     18.9958921412898,
     45.9863348064043,
     50},
    {"Chinese and Japanese",
     {"我喜欢吃苹果。", "寿司が好きです。"},
     {"我爱吃苹果。", "寿司は好きだ。"},
     0,
     0,
     25.5508827870749,
     100},
    {"emoji and joiners",
     {"👩\u200d👩\u200d👧 👍🏽 ok"},
     {"👩\u200d👩\u200d👦 👍 ok"},
     0,
     0,
     32.0706893781931,
     66.6666666666667},
    {"Arabic and Hebrew",
     {"مرحبا بالعالم", "שלום עולם"},
     {"مرحبا يا عالم", "שלום לעולם"},
     0,
     0,
     43.7533068783069,
     60},
    {"Greek sigma, dotted I", {"ΟΔΟΣ İSTANBUL"}, {"οδος i̇stanbul"}, 0, 0, 0, 0},
    {"blanks of Unicode",
     {"a\u2003b\u2028c\u00a0d\u200be"},
     {"a b c d e"},
     46.3077716199103,
     46.3077716199103,
     55.1692165044043,
     40},
};

}  // namespace

TEST_CASE("scores equal sacreBLEU's on nasty inputs") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const auto equals = [](double wanted) { return Approx(wanted).epsilon(1e-13).margin(1e-13); };
    CHECK(bleu(c.hypotheses, c.references).score == equals(c.bleu_13a));
    CHECK(bleu(c.hypotheses, c.references, {BleuTokenizer::kNone, true}).score ==
          equals(c.bleu_lower_case_words));
    CHECK(chrf(c.hypotheses, c.references) == equals(c.chrf));
    CHECK(ter(c.hypotheses, c.references) == equals(c.ter));
  }
}
