// One model for each thread, as the laboratory looks at several sentences at once.
#include <weft/core/parallel.h>
#include <weft/seq2seq/lab/sentence_tables.h>
#include <weft/seq2seq/program/detail/model_copies.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>

using namespace weft;

TEST_CASE("model copies: several threads see in models of their own what one sees in one") {
  const TempDir dir;
  train_tiny(dir.path());
  const LoadedModel first = load_model(dir.path());
  const auto load = [&] { return load_model(dir.path()); };
  const ParallelText text = tiny_corpus().train.text;
  const auto tables = [&](int threads) {
    set_num_threads(threads);
    ModelCopies copies(first, load);
    std::vector<std::string> seen(8);
    for (int round = 0; round < 2; ++round)  // the second has the copies of the first
      copies.for_each(std::ssize(seen), [&](Seq2SeqModel& model, int64_t i) {
        const auto at = static_cast<size_t>(i);
        const Study study(model, encode_source(*first.vocabulary, text.source[at]),
                          encode_target(*first.vocabulary, text.target[at]));
        SentenceTables one;
        one.heads.add(study);
        one.faithfulness.add(study, take(builtin_measures(), study, true));
        seen[at] = one.bytes();
      });
    return seen;
  };
  const int before = num_threads();
  const std::vector<std::string> alone = tables(1);
  CHECK(alone[0] != alone[1]);
  CHECK(tables(2) == alone);
  CHECK(tables(4) == alone);
  set_num_threads(before);
}
