#include <fmt/format.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/random.h>
#include <weft/nn/attention/grouped_attention.h>
#include <weft/nn/embedding.h>
#include <weft/seq2seq/lab/film_recorder.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/pair.h>
#include <weft/tests/temp_dir.h>

#include <cmath>

using namespace weft;

namespace {

using Notes = std::vector<std::string>;

const double kNan = std::nan("");

// Two layers, one attention of two heads, and a sentence.
Film small_film() {
  Film film{.layers = {"a", "b"},
            .attention = {{"a.self", 2}},
            .source = {"x", "\xc3\xa4"},
            .predicted = {"y"},
            .map_layers = 1};
  film.add({10, 8, {1.23456, 2}, {0.5, kNan}, {3e-9, 4}, {5, 6}, {0.256, 0.744}});
  film.add({20, 7, {1, 0}, {0.25, 0.125}, {3, 4}, {5, 6}, {0, 1}});
  return film;
}

struct Recorded {
  TempDir dir;
  LabPair pair;
  std::unique_ptr<Vocabulary> vocabulary = word_vocabulary(words());
  std::vector<Pair> pairs{{pair.source, pair.target}};

  static std::vector<std::string> words() {
    std::vector<std::string> all;
    for (int64_t i = kSpecials; i < kPairIds; ++i) all.push_back(fmt::format("w{}", 10 + i));
    return all;
  }
  FilmRecorder recorder(int64_t update = 0) {
    return {*pair.model, *vocabulary, pairs, dir / kFilm, update};
  }
  // The gradients that the loss has with this source.
  void backward(int64_t id) {
    const Ids source{id, 9, 20, kEnd};
    pair.model->zero_grad();
    pair.model->loss(pad_ids({&source, 1}), pad_ids({&pair.target, 1}), 0).backward();
  }
  Film read() {
    Notes notes;
    const Film film = read_film(dir / kFilm, notes);
    CHECK(notes.empty());
    return film;
  }
};

// Target words find source words through one attention; four heads, keys and values of two.
class Grouped : public Layer<Grouped, Seq2SeqModel> {
 public:
  explicit Grouped(Generator g = Generator(1))
      : words_(child<Embedding>("words", kPairIds, 8, g)),
        look_(child<GroupedQueryAttention>(
            "look", GroupedQueryAttentionOptions{.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2},
            g)),
        out_(child<Linear>("out", 8, kPairIds, g)) {}

  Tensor loss(const PaddedIds& source, const PaddedIds& target, double) override {
    const Tensor ids = to_tensor(target), memory = words_(to_tensor(source));
    const Tensor read = words_(slice(ids, 1, 0, ids.size(1) - 1));
    const Tensor logits = out_(look_(read, memory, memory).output);  // [1, T, V]
    return cross_entropy(select(logits, 0, 0), select(slice(ids, 1, 1), 0, 0));
  }
  std::unique_ptr<Decoding> start(const PaddedIds&) override { return nullptr; }
  AttentionTrace trace(const PaddedIds&, const PaddedIds&, Tensor*) override { return {}; }

 private:
  Embedding& words_;
  GroupedQueryAttention& look_;
  Linear& out_;
};

// Root mean square norm and signal to noise of vectors, as their definitions say.
std::pair<double, double> moments(const std::vector<std::vector<double>>& steps) {
  const auto n = static_cast<double>(steps.size());
  double power = 0, signal = 0, noise = 0;
  for (size_t e = 0; e < steps[0].size(); ++e) {
    double mean = 0;
    for (const auto& g : steps) mean += g[e] / n;
    signal += mean * mean;
    for (const auto& g : steps) {
      power += g[e] * g[e] / n;
      noise += (g[e] - mean) * (g[e] - mean) / (n - 1);
    }
  }
  return {std::sqrt(power), signal / noise};
}

void append(std::vector<double>& all, const Tensor& x) {
  const std::vector<double> more = to(x.detach(), kFloat64).to_vector<double>();
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

TEST_CASE("a film is read as it was written, to four digits and to hundredths") {
  const TempDir dir;
  save_film(dir / kFilm, small_film());
  Notes notes;
  const Film film = read_film(dir / kFilm, notes);
  CHECK(notes.empty());
  CHECK(film.same_subject(small_film()));
  REQUIRE(film.frames.size() == 2);
  const Film::Frame& f = film.frames[0];
  CHECK(f.update == 10);
  CHECK(f.gradients == 8);
  CHECK(f.norm == std::vector<double>{1.235, 2});
  CHECK(f.snr[0] == 0.5);
  CHECK(std::isnan(f.snr[1]));
  CHECK(f.head_norm == std::vector<double>{3e-9, 4});
  CHECK(f.head_snr == std::vector<double>{5, 6});
  CHECK(f.maps == std::vector<double>{0.26, 0.74});
  CHECK(read_film(dir / "nothing", notes).frames.empty());
  CHECK(notes.empty());
}

TEST_CASE("a film does not grow without end, and its frames stay evenly apart") {
  Film film;
  for (int64_t update = 10; update <= 10000; update += 10) {
    film.add({.update = update});
    CHECK(film.frames.size() < Film::kMostFrames);
  }
  CHECK(film.frames.size() >= Film::kMostFrames / 2);
  CHECK(film.frames[0].update == 10);
  CHECK(film.frames.back().update > 9600);
  const int64_t apart = film.frames[1].update - film.frames[0].update;
  for (size_t i = 1; i < film.frames.size(); ++i)
    CHECK(film.frames[i].update - film.frames[i - 1].update == apart);
}

TEST_CASE("damaged lines of a film are left out with a word each") {
  const TempDir dir;
  save_film(dir / kFilm, small_film());
  const std::string whole = dir.read(kFilm), subject = whole.substr(0, whole.find('\n') + 1);
  const std::string first =
      whole.substr(subject.size(), whole.find('\n', subject.size()) + 1 - subject.size());
  const auto read = [&](const std::string& text) {
    dir.write(kFilm, text);
    Notes notes;
    const Film film = read_film(dir / kFilm, notes);
    return std::pair{film.frames.size(), notes};
  };
  const std::string frame =
      R"({"update":30,"gradients":8,"norm":[1],"snr":[1,1],"head_norm":[1,1],"head_snr":[1,1],"maps":[1,1]})";
  CHECK(read(whole + frame) ==
        std::pair{size_t{2}, Notes{"film.jsonl, line 4: \"norm\" must have 2 numbers; got 1"}});
  CHECK(
      read(subject + first + first) ==
      std::pair{size_t{1},
                Notes{"film.jsonl, line 3: \"update\" must be in [11, 9007199254740992]; got 10"}});
  CHECK(read("{\"format\":\"weft-film 2\"}\n" + first + first) ==
        std::pair{size_t{0},
                  Notes{"film.jsonl, line 1: the format must be weft-film 1; got weft-film 2"}});
  const auto [frames, notes] = read(whole + "\xff\n{\n[]\n\n1");
  CHECK(frames == 2);
  REQUIRE(notes.size() == 4);
  CHECK(notes[3] == "film.jsonl: 2 more damaged lines");
  for (const std::string& note : notes) CHECK(note.find('\n') == std::string::npos);
}

TEST_CASE("no damage to a film does more than cost frames") {
  const TempDir dir;
  save_film(dir / kFilm, small_film());
  const std::string whole = dir.read(kFilm);
  Generator random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text = whole;
    for (int64_t i = random.below(4); i >= 0; --i)
      text[static_cast<size_t>(random.below(std::ssize(text)))] =
          static_cast<char>(random.below(256));
    if (random.below(3) == 0) text.resize(static_cast<size_t>(random.below(std::ssize(text))));
    dir.write(kFilm, text);
    Notes notes;
    const Film film = read_film(dir / kFilm, notes);
    CHECK(film.frames.size() <= 4);
    for (const Film::Frame& frame : film.frames) {
      CHECK(frame.norm.size() == film.layers.size());
      CHECK(std::ssize(frame.head_snr) == film.heads());
      CHECK(std::ssize(frame.maps) ==
            film.map_layers * std::ssize(film.source) * std::ssize(film.predicted));
    }
  }
}

TEST_CASE("a film holds norm and signal to noise of each layer's and each head's gradients") {
  Recorded r;
  FilmRecorder recorder = r.recorder();
  std::vector<std::vector<double>> layer, head;
  for (const int64_t id : {5, 6, 7}) {
    r.backward(id);
    recorder.add();
    auto& in_layer = layer.emplace_back();
    for (const NamedTensor& p : r.pair.model->named_parameters())
      if (p.name.starts_with("transformer.decoder.layers.1.")) append(in_layer, p.tensor.grad());
    // 16 rows each of queries, keys and values; 4 a head.
    const Tensor g =
        r.pair.model->find("transformer.decoder.layers.0.multihead_attn.in_proj_weight").grad();
    auto& in_head = head.emplace_back();
    for (int64_t part = 0; part < 3; ++part)
      append(in_head, slice(g.detach(), 0, 16 * part + 8, 16 * part + 12));
  }
  recorder.record(30);
  const Film film = r.read();
  REQUIRE(film.frames.size() == 1);
  const Film::Frame& f = film.frames[0];
  CHECK(f.update == 30);
  CHECK(f.gradients == 3);
  const auto at = std::find(film.layers.begin(), film.layers.end(), "transformer.decoder.layers.1");
  REQUIRE(at != film.layers.end());
  const auto index = static_cast<size_t>(at - film.layers.begin());
  CHECK(f.norm[index] == Approx(moments(layer).first).epsilon(1e-3));
  CHECK(f.snr[index] == Approx(moments(layer).second).epsilon(1e-3));
  size_t first = 0;
  for (const Film::Attention& a : film.attention) {
    if (a.path == "transformer.decoder.layers.0.multihead_attn") break;
    first += static_cast<size_t>(a.heads);
  }
  REQUIRE(film.heads() == 24);
  CHECK(f.head_norm[first + 2] == Approx(moments(head).first).epsilon(1e-3));
  CHECK(f.head_snr[first + 2] == Approx(moments(head).second).epsilon(1e-3));
}

TEST_CASE("a film has the heads of any attention, also where two share keys and values") {
  const TempDir dir;
  const auto vocabulary = word_vocabulary(Recorded::words());
  Grouped model;
  FilmRecorder recorder(model, *vocabulary, {}, dir / kFilm, 0);
  std::vector<std::vector<double>> third;
  for (const int64_t id : {5, 6, 7}) {
    const Ids source{id, 9, 20, kEnd}, target{kBegin, 8, 11, kEnd};
    model.zero_grad();
    model.loss(pad_ids({&source, 1}), pad_ids({&target, 1}), 0).backward();
    recorder.add();
    auto& step = third.emplace_back();  // of 2 rows a head: queries 4 and 5, memory 2 and 3
    append(step, slice(model.find("look.q_proj.weight").grad().detach(), 0, 4, 6));
    for (const char* name : {"look.k_proj.weight", "look.v_proj.weight"})
      append(step, slice(model.find(name).grad().detach(), 0, 2, 4));
  }
  recorder.record(3);
  std::vector<std::string> notes;
  const Film film = read_film(dir / kFilm, notes);
  REQUIRE(film.frames.size() == 1);
  CHECK(film.attention == std::vector<Film::Attention>{{"look", 4}});
  CHECK(film.frames[0].head_norm[2] == Approx(moments(third).first).epsilon(1e-3));
  CHECK(film.frames[0].head_snr[2] == Approx(moments(third).second).epsilon(1e-3));
}

TEST_CASE("a film has one head where an attention has none of its own") {
  const TempDir dir;
  const auto vocabulary = word_vocabulary(Recorded::words());
  for (const auto kind : {RecurrentAttention::bahdanau, RecurrentAttention::luong}) {
    const auto model =
        small_recurrent_model({.vocabulary = kPairIds, .d_model = 8, .attention = kind});
    FilmRecorder recorder(*model, *vocabulary, {}, dir / kFilm, 0);
    std::vector<std::vector<double>> head;
    for (const int64_t id : {5, 6}) {
      const Ids source{id, 9, 20, kEnd}, target{kBegin, 8, 11, kEnd};
      model->zero_grad();
      model->loss(pad_ids({&source, 1}), pad_ids({&target, 1}), 0).backward();
      recorder.add();
      auto& step = head.emplace_back();
      for (const NamedTensor& p : model->named_parameters())
        if (p.name.starts_with("attention.")) append(step, p.tensor.grad());
    }
    recorder.record(3);
    std::vector<std::string> notes;
    const Film film = read_film(dir / kFilm, notes);
    REQUIRE(film.frames.size() == 1);
    CHECK(film.attention == std::vector<Film::Attention>{{"attention", 1}});
    CHECK(film.frames[0].head_norm[0] == Approx(moments(head).first).epsilon(1e-3));
  }
}

TEST_CASE("a film holds the mean cross-attention of a sentence") {
  Recorded r;
  r.pairs.insert(r.pairs.begin(), Pair{Ids(40, 5), r.pair.target});  // too long
  FilmRecorder recorder = r.recorder();
  for (const int64_t id : {5, 6}) {
    r.backward(id);
    recorder.add();
  }
  recorder.record(2);
  const Film film = r.read();
  CHECK(film.source == std::vector<std::string>{"w15", "w19", "w30", "w17", "</s>"});
  CHECK(film.predicted == std::vector<std::string>{"w18", "w21", "w38", "</s>"});
  REQUIRE(film.map_layers == 2);
  const AttentionMaps maps = cross_attention(*r.pair.model, r.pair.source, r.pair.target);
  double mean = 0;
  for (const AttentionMap& head : maps[1]) mean += head.at(2, 3) / 4;
  CHECK(film.frames[0].maps[20 + 2 * 5 + 3] == Approx(mean).margin(0.005));
}

TEST_CASE("a film goes on after the update that a run goes on from, each frame once") {
  Recorded r;
  const auto record = [&](FilmRecorder& recorder, int64_t update) {
    for (const int64_t id : {5, 6}) {
      r.backward(id + update);
      recorder.add();
    }
    recorder.record(update);
  };
  FilmRecorder whole = r.recorder();
  for (const int64_t update : {1, 2, 3}) record(whole, update);
  const std::string expected = r.dir.read(kFilm);
  FilmRecorder again = r.recorder(2);
  record(again, 3);
  CHECK(r.dir.read(kFilm) == expected);
  r.pairs[0].target.insert(r.pairs[0].target.begin() + 1, 9);  // another sentence
  FilmRecorder other = r.recorder(2);
  record(other, 3);
  CHECK(r.read().frames.size() == 1);
}

TEST_CASE("one gradient makes no frame, and waits for the next") {
  Recorded r;
  FilmRecorder recorder = r.recorder();
  r.backward(5);
  recorder.add();
  recorder.record(1);
  CHECK_FALSE(std::filesystem::exists(r.dir / kFilm));
  recorder.add();
  recorder.record(2);
  const Film film = r.read();
  REQUIRE(film.frames.size() == 1);
  CHECK(film.frames[0].gradients == 2);
  CHECK(std::isnan(film.frames[0].snr[0]));  // twice the same
}
