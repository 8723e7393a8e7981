// `weft lab`: a report of what attention does in a model.
#include <fmt/core.h>
#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/formats.h>
#include <weft/seq2seq/lab/sentence_tables.h>
#include <weft/seq2seq/program/detail/commands.h>
#include <weft/seq2seq/program/detail/model_copies.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/program/detail/sharing.h>
#include <weft/seq2seq/program/detail/trained_on.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <future>

namespace weft {
namespace {

// Maps grow with the square of the length, and there are some for every head.
constexpr int64_t kLongest = 128;
// Faithfulness goes through all subsets of a source: over so many sentences, of so few tokens.
constexpr int64_t kFaithfulSentences = 10, kFaithfulUnits = 8;
constexpr size_t kPruningSentences = 100;  // in one batch
constexpr int64_t kPruningPoints = 8;

// A pair to be looked at. Without a target it is the model's own translation.
struct Text {
  std::string source;
  std::optional<std::string> target;
  std::optional<std::vector<Link>> gold;  // of words, between source and target
};

void check_text(const char* option, const std::string& text) {
  if (const auto at = invalid_utf8(text))
    fail("lab: expected UTF-8; got byte 0x{:02x} at byte {} of --{}",
         static_cast<unsigned char>(text[*at]), *at + 1, option);
}

void check_options(const LabOptions& o) {
  check(o.model_dir.given(), "lab: needs --model-dir, or --experiment");
  check(!o.seed.given(), "lab: --seed is of --experiment; got none");
  check(!o.reverse_model_dir.given(), "lab: --reverse-model-dir is of --experiment; got none");
  check_text("sentence", o.sentence);
  check_text("target", o.target);
  check(!o.sentence.given() || !split_words(o.sentence.value()).empty(),
        "lab: --sentence has no words");
  check(o.sentence.given() || !o.target.given(), "lab: --target is of --sentence; got none");
  check(!o.sentence.given() || !o.sentences.given(),
        "lab: --sentence and --sentences exclude each other");
}

void check_length(const char* what, const Ids& ids) {
  check(std::ssize(ids) <= kLongest, "lab: a {} must be of at most {} tokens; got {}", what,
        kLongest - 1, ids.size() - 1);
}

// What the model was trained on, if its directory says so and it is still there.
std::optional<Corpus> find_corpus(const RunConfig& run, const Catalog& catalog,
                                  const Ranks& ranks) try {
  return trained_on(run, catalog);
} catch (const Error& e) {
  if (ranks.first()) warn(fmt::format("weft: lab: no validation sentences: {}", e.what()));
  return {};
}

// Ranks share out the tables' sentences, and the points of pruning; what is shown is rank 0's.
class Lab {
 public:
  Lab(const LabOptions& options, const Catalog& catalog, const Ranks& ranks)
      : options_(options),
        catalog_(catalog),
        ranks_(ranks),
        directory_(options.model_dir.value()),
        loaded_(load_model(directory_, catalog.models)),
        copies_(loaded_, [this] { return load_model(directory_, catalog_.models); }),
        run_(trained_by(directory_)) {
    if (options.over > 0 || !options.sentence.given())
      corpus_soon_ = std::async(num_threads() > 1 ? std::launch::async : std::launch::deferred,
                                [this] { return find_corpus(run_, catalog_, ranks_); });
  }

  // Whole on rank 0.
  Report report() {
    describe_model();
    const std::vector<Text> texts = shown();
    for (const Text& text : texts) check_text(text);
    if (ranks_.first()) show(texts);
    fill_tables();
    if (ranks_.first()) read_records();
    return std::move(report_);
  }

 private:
  void show(const std::vector<Text>& texts) {
    for (const Text& text : texts) show(text);
    for (const Measure& m : catalog_.measures)
      if (is_shown(m)) report_.measures.push_back(m);
  }

  void read_records() {
    std::vector<std::string> notes;
    report_.history = read_history(directory_ / "metrics.jsonl", notes);
    report_.film = read_film(directory_ / kFilm, notes);
    for (const std::string& note : notes) warn("weft: lab: " + note);
  }

  // On every rank, so that they fail together.
  void check_text(const Text& text) const {
    const Ids source = source_of(text);
    if (text.target) target_of(text, source);
  }

  Ids source_of(const Text& text) const {
    Ids ids = loaded_.vocabulary->encode(text.source);
    ids.push_back(kEnd);
    check_length("sentence", ids);
    return ids;
  }

  Ids target_of(const Text& text, const Ids& source) const {
    Ids ids = text.target ? loaded_.vocabulary->encode(*text.target)
                          : decode(*loaded_.model, {&source, 1}, BeamSearch())[0][0].ids;
    std::erase_if(ids, [](int64_t id) { return id < kSpecials && id != kUnknown; });
    ids.insert(ids.begin(), kBegin);
    ids.push_back(kEnd);
    if (text.target) check_length("target", ids);
    return ids;
  }

  bool fits(const std::string& text) const {
    return std::ssize(loaded_.vocabulary->encode(text)) < kLongest;
  }

  // The first validation sentences that are not too long, with their references and, where words
  // are tokens, gold links.
  std::vector<Text> validation(int64_t count) {
    if (corpus_soon_.valid()) corpus_ = corpus_soon_.get();
    std::vector<Text> texts;
    if (!corpus_) return texts;
    const Split& valid = corpus_->valid;
    const bool aligned = valid.gold.size() == valid.text.source.size() &&
                         loaded_.vocabulary->tokens() == Tokens::kWords;
    for (size_t i = 0; i < valid.text.source.size() && std::ssize(texts) < count; ++i) {
      if (!fits(valid.text.source[i]) || !fits(valid.text.target[i])) continue;
      texts.push_back({valid.text.source[i], valid.text.target[i], {}});
      if (aligned) texts.back().gold = valid.gold[i];
    }
    return texts;
  }

  std::vector<Text> shown() {
    if (options_.sentence.given()) {
      Text text{options_.sentence, {}, {}};
      if (options_.target.given()) text.target = options_.target;
      return {text};
    }
    std::vector<Text> texts = validation(options_.sentences);
    check(!texts.empty(), "lab: needs --sentence, as there are no validation sentences");
    return texts;
  }

  void describe_model() {
    const ModelConfig& config = loaded_.config;
    const ModelKind& kind = find_named(catalog_.models, config.model, "model");
    report_.directory = directory_.string();
    report_.kind = kind.name;
    for (const Tensor& p : loaded_.model->parameters()) report_.parameters += p.numel();
    for (const AnySetting* s : config.settings()) {
      const std::string& name = s->info().name;
      if (name == "model" || !kind.has_use_for(name)) continue;
      report_.settings.push_back({name, s->text()});
      if (const auto* whole = dynamic_cast<const Setting<int64_t>*>(s))
        report_.settings.back().second = whole->value();
      if (const auto* number = dynamic_cast<const Setting<double>*>(s))
        report_.settings.back().second = number->value();
    }
  }

  // Of a validation sentence the model's own translation; its gold links, if that is the reference.
  void show(Text text) {
    const Ids source = source_of(text);
    for (const std::string& warning : warnings(*loaded_.vocabulary, text.source))
      warn("weft: lab: " + warning);
    Ids target = target_of(text, source);
    if (options_.sentence.given())
      for (const std::string& warning : warnings(*loaded_.vocabulary, text.target.value_or("")))
        warn("weft: lab: " + warning);
    if (!options_.sentence.given()) {
      const Ids reference = std::exchange(target, target_of({text.source, {}, {}}, source));
      if (target != reference) text.gold.reset();
    }
    std::optional<int64_t> token;
    if (options_.token > 0) token = options_.token - 1;
    const Study study(*loaded_.model, source, target, token);
    if (study.trace.cross.empty())
      warn("weft: lab: the model shows no cross-attention: the report has what there is beside it");
    report_.sentences.push_back(
        report_sentence(study, take(catalog_.measures, study, true), *loaded_.vocabulary));
    report_.sentences.back().gold = text.gold;
  }

  // Whether some sentence has numbers of it.
  bool is_shown(const Measure& measure) const {
    for (const SentenceReport& s : report_.sentences)
      for (const Measured& m : s.measured)
        if (m.measure == &measure && !(m.maps.empty() && m.tokens.empty())) return true;
    return false;
  }

  // A sentence of the tables.
  struct Row {
    Text text;
    Pair pair;
    bool is_short = false;  // so that faithfulness is asked for
  };

  // Of validation sentences, or of what is shown where there are none.
  std::vector<Row> rows() {
    std::vector<Text> texts = validation(options_.over);
    if (texts.empty()) texts = shown();
    std::vector<Row> rows;
    int64_t faithful = 0;
    for (Text& text : texts) {
      const Ids source = source_of(text);
      Row& row = rows.emplace_back(Row{std::move(text), {source, {}}});
      row.pair.target = target_of(row.text, source);
      const int64_t units = std::ssize(source) - 1;
      row.is_short = units >= 2 && units <= kFaithfulUnits && faithful < kFaithfulSentences;
      faithful += row.is_short;
    }
    return rows;
  }

  // The same bits at any number of threads and ranks: rows are looked at in any order, and added
  // in theirs.
  void fill_tables() {
    std::vector<Row> all = rows();
    const auto seen = ranks_.map(dealt(std::ssize(all), ranks_), [&](const Batch& own) {
      std::vector<std::string> found(own.size());
      copies_.for_each(std::ssize(own), [&](Seq2SeqModel& model, int64_t i) {
        const auto at = static_cast<size_t>(i);
        found[at] = tables_of(all[static_cast<size_t>(own[at])], model).bytes();
      });
      return found;
    });
    SentenceTables tables;
    for (const std::string& bytes : seen) tables.add(SentenceTables::from_bytes(bytes));
    report_.heads = std::move(tables.heads);
    report_.agreement = std::move(tables.agreement);
    report_.faithfulness = std::move(tables.faithfulness);
    all.resize(std::min(all.size(), kPruningSentences));
    prune_heads(all);
  }

  SentenceTables tables_of(const Row& row, Seq2SeqModel& model) const {
    const Study study(model, row.pair.source, row.pair.target);
    std::vector<Measured> taken;
    if (row.text.gold || row.is_short) taken = take(catalog_.measures, study, row.is_short);
    SentenceTables tables;
    tables.heads.add(study);
    if (row.text.gold) tables.agreement.add(study, taken, *row.text.gold);
    if (row.is_short) tables.faithfulness.add(study, taken);
    return tables;
  }

  // Both orders of all scores, one beside the other; or one after the other, and points of each
  // shared out among ranks.
  void prune_heads(const std::vector<Row>& rows) {
    std::array<std::vector<PruningCurve>, 2> curves;
    const auto take_curve = [&](Seq2SeqModel& model, int64_t i, const ShareOut& share) {
      const Study study(model, rows[0].pair.source, rows[0].pair.target);
      const auto order = i == 0 ? PruningOrder::importance : PruningOrder::random;
      curves[static_cast<size_t>(i)] =
          prune(study, report_.heads, order, pruning_scores(model, rows), kPruningPoints, share);
    };
    if (ranks_.several())
      for (int64_t i = 0; i < 2; ++i) take_curve(*loaded_.model, i, share_among(ranks_));
    else
      copies_.for_each(2, [&](Seq2SeqModel& model, int64_t i) { take_curve(model, i, all_here); });
    for (size_t score = 0; score < curves[0].size(); ++score)
      for (auto& of_order : curves) report_.pruning.push_back(std::move(of_order[score]));
  }

  // By log-probability, and where there are references by the metric that chose the model.
  std::vector<PruningScore> pruning_scores(Seq2SeqModel& model,
                                           const std::vector<Row>& rows) const {
    std::vector<Pair> pairs;
    for (const Row& row : rows) pairs.push_back(row.pair);
    std::vector<PruningScore> scores{log_probability(model, pairs)};
    if (!rows[0].text.target || run_.train.metric.value().empty()) return scores;
    const Metric& metric = find_named(catalog_.metrics, run_.train.metric, "metric");
    std::vector<std::string> sources, references;
    for (const Row& row : rows) {
      sources.push_back(row.text.source);
      references.push_back(*row.text.target);
    }
    scores.push_back({metric.title, [this, &model, &metric, sources, references] {
                        return metric.score(translate_all(model, *loaded_.vocabulary, sources),
                                            references);
                      }});
    return scores;
  }

  const LabOptions& options_;
  const Catalog& catalog_;
  const Ranks& ranks_;
  std::filesystem::path directory_;
  LoadedModel loaded_;
  ModelCopies copies_;
  RunConfig run_;
  std::optional<Corpus> corpus_;
  Report report_;
  std::future<std::optional<Corpus>> corpus_soon_;
};

}  // namespace

void lab_command(const LabOptions& o, const Catalog& catalog, Communicator& communicator) {
  set_num_threads(static_cast<int>(o.threads));
  const Ranks ranks(communicator);
  if (o.experiment.given()) return experiment_command(o, catalog, ranks);
  check_options(o);
  const Report report = Lab(o, catalog, ranks).report();
  if (!ranks.first()) return;
  const std::string& format = o.format;
  const bool to_terminal = format == "text" && !o.out.given();
  // mpirun gives ranks a terminal, whatever the user has.
  const bool colours = isatty(STDOUT_FILENO) != 0 && !ranks.several();
  if (to_terminal) return print(to_text(report, colours));
  std::string bytes;
  if (format == "html") bytes = to_html(report);
  if (format == "json") bytes = to_json(report);
  if (format == "csv") bytes = to_csv(report);
  if (format == "npz") bytes = to_npz(report);
  if (format == "text") bytes = to_text(report, false);
  const std::string file = o.out.given() ? o.out.value() : "report." + format;
  write_file(file, bytes);
  print(fmt::format("report     {}\n", file));
}

}  // namespace weft
