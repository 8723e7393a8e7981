// English and two made-up languages of one family. Lowland has the words of Highland after a shift
// of sounds (as Grimm's law), so that those without b, d, g, k or p are the same; and its order is
// another.
//   English    the small dogs will not see one queen today
//   Highland   nu lon kanon peton una rena ne vidosn
//   Lowland    ne vitosn lon feton hanon una rena nu
#pragma once

#include <weft/seq2seq.h>

#include <array>
#include <set>
#include <string>

namespace languages {

struct Word {
  const char *english, *highland;
};
constexpr std::array kNouns{
    // of two genders, -o and -a
    Word{"dog", "kano"},    Word{"cat", "gata"},   Word{"bird", "avelo"}, Word{"farmer", "gesto"},
    Word{"queen", "rena"},  Word{"boy", "puero"},  Word{"girl", "filia"}, Word{"horse", "kavalo"},
    Word{"tree", "arbora"}, Word{"house", "doma"}, Word{"book", "libro"}, Word{"apple", "poma"}};
constexpr std::array kAdjectives{Word{"small", "pet"},  Word{"big", "gran"}, Word{"old", "sen"},
                                 Word{"new", "nov"},    Word{"red", "rub"},  Word{"good", "bon"},
                                 Word{"heavy", "grav"}, Word{"quiet", "tak"}};
constexpr std::array kVerbs{Word{"see", "vid"},   Word{"find", "trov"}, Word{"love", "am"},
                            Word{"want", "vol"},  Word{"know", "kon"},  Word{"follow", "sek"},
                            Word{"sell", "vend"}, Word{"draw", "pikt"}};
constexpr std::array kTimes{Word{"", ""}, Word{"today", "nu"}, Word{"often", "ofte"},
                            Word{"soon", "baldo"}};

struct Phrase {
  Word noun, adjective;  // none: ""
  bool plural, definite;
};

struct Meaning {
  Phrase subject, object;
  Word verb, time;
  bool future, negated;
};

template <class List>
auto draw(const List& list, weft::Generator& random) {
  return list[static_cast<size_t>(random.below(std::ssize(list)))];
}

inline Phrase draw_phrase(weft::Generator& random) {
  const bool plain = random.below(3) == 0;
  return {draw(kNouns, random), plain ? Word{"", ""} : draw(kAdjectives, random),
          random.below(2) == 0, random.below(2) == 0};
}

inline Meaning draw_meaning(weft::Generator& random) {
  return {draw_phrase(random),  draw_phrase(random),  draw(kVerbs, random),
          draw(kTimes, random), random.below(2) == 0, random.below(2) == 0};
}

// Words with one space between them, those left out that are empty.
inline std::string join(std::initializer_list<std::string> words) {
  std::string text;
  for (const std::string& word : words)
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
  return text;
}

inline std::string english(const Phrase& p) {
  return join({p.definite ? "the"
               : p.plural ? "some"
                          : "one",
               p.adjective.english, std::string(p.noun.english) + (p.plural ? "s" : "")});
}

inline std::string english(const Meaning& m) {
  const std::string helper = m.future ? "will" : !m.negated ? "" : m.subject.plural ? "do" : "does";
  const bool bare = !helper.empty() || m.subject.plural;
  return join({english(m.subject), helper, m.negated ? "not" : "",
               std::string(m.verb.english) + (bare ? "" : "s"), english(m.object), m.time.english});
}

// Article and adjective agree with the noun: its vowel, and -n for many.
inline std::string made_up(const Phrase& p, bool adjective_first) {
  const std::string noun = p.noun.highland, ending = noun.back() + std::string(p.plural ? "n" : "");
  const std::string adjective = p.adjective.highland;
  const std::string inflected = adjective.empty() ? "" : adjective + ending;
  return join({(p.definite ? "l" : "un") + ending, adjective_first ? inflected : "",
               noun + (p.plural ? "n" : ""), adjective_first ? "" : inflected});
}

inline std::string verb(const Meaning& m) {
  return std::string(m.verb.highland) + (m.future ? "os" : "as") + (m.subject.plural ? "n" : "");
}

inline std::string highland(const Meaning& m) {
  return join({m.time.highland, made_up(m.subject, false), made_up(m.object, false),
               m.negated ? "ne" : "", verb(m)});
}

inline std::string lowland(const Meaning& m) {
  std::string text = join({m.negated ? "ne" : "", verb(m), made_up(m.subject, true),
                           made_up(m.object, true), m.time.highland});
  for (char& c : text)
    if (const size_t at = std::string("bdgkp").find(c); at != std::string::npos) c = "ptkhf"[at];
  return text;
}

/// So many pairs, no English sentence twice, none that is in `seen`, to which they are added.
inline weft::ParallelText draw_pairs(size_t count, std::string (*language)(const Meaning&),
                                     std::set<std::string>& seen, weft::Generator random) {
  weft::ParallelText text;
  while (text.source.size() < count) {
    const Meaning meaning = draw_meaning(random);
    if (!seen.insert(english(meaning)).second) continue;
    text.source.push_back(english(meaning));
    text.target.push_back(language(meaning));
  }
  return text;
}

}  // namespace languages
