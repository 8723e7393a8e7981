// The expected scores come from sacreBLEU 2.6.0.
#include <weft/seq2seq/metrics/bleu.h>
#include <weft/tests/catch.h>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {
const BleuOptions k13a{BleuTokenizer::k13a, false}, k13aLower{BleuTokenizer::k13a, true};
const BleuOptions kNone{BleuTokenizer::kNone, false}, kNoneLower{BleuTokenizer::kNone, true};

double score(const Lines& hypotheses, const Lines& references, const BleuOptions& options = {}) {
  return bleu(hypotheses, references, options).score;
}
}  // namespace

TEST_CASE("bleu equals sacrebleu on ordinary sentences") {
  const Lines h{"Der Hund läuft schnell.", "Ein Mann kauft 3,5 kg Äpfel - heute!"};
  const Lines r{"Der Hund rennt schnell.", "Ein Mann kaufte 3,5 kg Äpfel, heute."};
  CHECK(score(h, r, k13a) == Approx(20.767546186031982).epsilon(1e-12));
  CHECK(score(h, r, kNone) == Approx(14.610891176019747).epsilon(1e-12));
  CHECK(bleu(h, r, kNone).to_string() ==
        "BLEU|nrefs:1|case:mixed|eff:no|tok:none|smooth:exp|version:weft-0.1.0 = 14.61 "
        "58.3/30.0/6.2/4.2 (BP = 1.000 ratio = 1.091 hyp_len = 12 ref_len = 11)");
}

TEST_CASE("bleu undoes entities and separates punctuation as 13a does") {
  const Lines h{"Say &quot;HI&quot; &amp;amp; go to U.S.A. for $1,000.50 (5-6 days)..."};
  const Lines r{"say \"hi\" & go to U.S.A. for $1,000.50 (5-6 days)..."};
  CHECK(score(h, r, k13a) == Approx(76.0322292167802).epsilon(1e-12));
  CHECK(score(h, r, k13aLower) == Approx(85.90888738245118).epsilon(1e-12));
  CHECK(score(h, r, kNone) == Approx(63.894310424627285).epsilon(1e-12));
  CHECK(score(h, r, kNoneLower) == Approx(66.06328636027612).epsilon(1e-12));
}

TEST_CASE("13a tokens") {
  CHECK(bleu_tokens("Say &quot;HI&quot; &amp;lt; 1,000.50, and U.S.A.: (5-6 days)... a-b 3-x x/y "
                    "<skipped>it's",
                    k13a) == Lines{"Say", "\"", "HI", "\"",   "<", "1,000.50", ",", "and",
                                   "U",   ".",  "S",  ".",    "A", ".",        ":", "(",
                                   "5",   "-",  "6",  "days", ")", ".",        ".", ".",
                                   "a-b", "3",  "-",  "x",    "x", "/",        "y", "it's"});
  CHECK(bleu_tokens("..,,1.a.2,", k13a) == Lines{".", ".", ",", ",1", ".", "a", ".", "2", ","});
  CHECK(bleu_tokens("a\u00a0b\u3000c\u0085d", kNone) == Lines{"a", "b", "c", "d"});
}

TEST_CASE("bleu of sums that sacrebleu's tests score") {
  const Bleu b = bleu(Counts{11, 11, 9, 7, 5, 3, 10, 8, 6, 4});
  CHECK(b.score == Approx(83.75922397).epsilon(1e-10));
  CHECK(bleu_counts("am I am a character sequence", "I am a symbol string sequence a a") ==
        Counts{6, 8, 4, 2, 1, 0, 6, 5, 4, 3});
}

TEST_CASE("bleu punishes short output by exp(1 - r/h)") {
  const Bleu b =
      bleu(Lines{"", "the cat sat on a mat"}, Lines{"a dog barks", "the cat sat on a mat"});
  CHECK(b.brevity_penalty == Approx(0.60653065971263342));
  CHECK(b.score == Approx(60.653065971263366).epsilon(1e-12));
  CHECK(b.hypothesis_length == 6);
  CHECK(b.reference_length == 9);
}

TEST_CASE("bleu smooths an order without matches, and is 0 without any match") {
  const Bleu shuffled = bleu(Lines{"a b c d e f g h"}, Lines{"a c b d f e h g"});
  CHECK(shuffled.score == Approx(9.287528999566801).epsilon(1e-12));
  CHECK(shuffled.correct == std::array<int64_t, 4>{8, 0, 0, 0});
  CHECK(shuffled.precisions[1] == Approx(100 / (2. * 7)));
  CHECK(shuffled.precisions[3] == Approx(100 / (8. * 5)));
  CHECK(score({"x y z w", "p q r s"}, {"a b c d", "e f g h"}) == 0);
  const Bleu empty = bleu(Lines{"", ""}, Lines{"a", "b"});
  CHECK(empty.score == 0);
  CHECK(empty.brevity_penalty == 0);
}

TEST_CASE("bleu is 0 when no hypothesis has four words") {
  const Bleu b = bleu(Lines{"a b", "c d e"}, Lines{"a b", "c d e"});
  CHECK(b.score == 0);
  CHECK(b.precisions == std::array<double, 4>{100, 100, 100, 0});
}

TEST_CASE("bleu lower-cases as Python does") {
  const Lines h{"ΟΔΟΣ ÄÖÜ İx und mehr"}, r{"οδος äöü i̇x und mehr"};
  CHECK(score(h, r, kNone) == Approx(21.3643503198117).epsilon(1e-12));
  CHECK(score(h, r, kNoneLower) == Approx(100));
  CHECK(kNoneLower.signature() == "nrefs:1|case:lc|eff:no|tok:none|smooth:exp|version:weft-0.1.0");
}

TEST_CASE("bleu names both counts when they differ") {
  CHECK(message_of([] {
          bleu(Lines{"a", "b"}, Lines{"a"});
        }) ==
        "bleu: needs sentences and one reference for each; got 2 hypotheses and 1 references");
  CHECK(message_of([] { bleu(Lines{}, Lines{}); }) ==
        "bleu: needs sentences and one reference for each; got 0 hypotheses and 0 references");
}
