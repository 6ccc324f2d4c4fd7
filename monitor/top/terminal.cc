#include "terminal.h"

#include <curses.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "duet/error.h"

namespace duet::top {
namespace {

constexpr int kEscapeMs = 50;  ///< an Esc by itself, not the beginning of an arrow key
enum Pair : short { kGreen = 1, kYellow, kRed, kCyan, kHead };

}  // namespace

Terminal::Terminal(bool colours) {
  const char* const name = std::getenv("TERM");
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
    throw ConfigurationError(
        "this is no terminal: duet-top --once prints a picture, duet-top --once --json data");
  if (name == nullptr || *name == '\0')
    throw ConfigurationError(
        "TERM is not set: say what terminal this is (TERM=xterm-256color), or use --once");
  SCREEN* const screen = newterm(nullptr, stdout, stdin);
  if (screen == nullptr) {
    throw ConfigurationError(std::string("the terminal \"") + name +
                             "\" is not known here: set TERM to one that is (TERM=xterm), or use --once");
  }
  screen_ = screen;
  set_term(screen);
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  set_escdelay(kEscapeMs);
  curs_set(0);
  if (colours && has_colors()) {
    start_color();
    use_default_colors();
    init_pair(kGreen, COLOR_GREEN, -1);
    init_pair(kYellow, COLOR_YELLOW, -1);
    init_pair(kRed, COLOR_RED, -1);
    init_pair(kCyan, COLOR_CYAN, -1);
    init_pair(kHead, COLOR_BLACK, COLOR_GREEN);
    colours_ = true;
  }
}

Terminal::~Terminal() {
  endwin();
  delscreen(static_cast<SCREEN*>(screen_));
}

std::size_t Terminal::columns() const {
  return static_cast<std::size_t>(COLS > 0 ? COLS : 0);
}
std::size_t Terminal::rows() const {
  return static_cast<std::size_t>(LINES > 0 ? LINES : 0);
}

int Terminal::attributes(Style style) const {
  // Without colours, what is bad must be seen all the same.
  switch (style) {
    case Style::kNormal:
      return A_NORMAL;
    case Style::kTitle:
      return A_BOLD;
    case Style::kHeader:
      return colours_ ? static_cast<int>(COLOR_PAIR(kHead)) : static_cast<int>(A_REVERSE);
    case Style::kSorted:
      return static_cast<int>(A_REVERSE | A_BOLD);
    case Style::kSelected:
      return static_cast<int>(A_REVERSE);
    case Style::kGood:
      return colours_ ? static_cast<int>(COLOR_PAIR(kGreen)) : A_NORMAL;
    case Style::kWarning:
      return colours_ ? static_cast<int>(COLOR_PAIR(kYellow)) : static_cast<int>(A_BOLD);
    case Style::kBad:
      return static_cast<int>(colours_ ? COLOR_PAIR(kRed) | A_BOLD : A_BOLD | A_UNDERLINE);
    case Style::kDim:
      return colours_ ? static_cast<int>(COLOR_PAIR(kCyan)) : static_cast<int>(A_DIM);
  }
  return A_NORMAL;
}

void Terminal::draw(const std::vector<Line>& lines) {
  erase();
  for (std::size_t row = 0; row < lines.size() && static_cast<int>(row) < LINES; ++row) {
    move(static_cast<int>(row), 0);
    for (const Span& span : lines[row]) {
      attrset(attributes(span.style));
      addnstr(span.text.data(), static_cast<int>(span.text.size()));
    }
  }
  attrset(A_NORMAL);
  refresh();
}

KeyPress Terminal::read(double seconds) {
  timeout(static_cast<int>(std::ceil(seconds * 1e3)));
  const int key = getch();
  switch (key) {
    case ERR:
    case KEY_RESIZE:
      return {};
    case KEY_UP:
      return {Key::kUp};
    case KEY_DOWN:
      return {Key::kDown};
    case KEY_PPAGE:
      return {Key::kPageUp};
    case KEY_NPAGE:
      return {Key::kPageDown};
    case KEY_HOME:
      return {Key::kHome};
    case KEY_END:
      return {Key::kEnd};
    case KEY_ENTER:
    case '\r':
    case '\n':
      return {Key::kEnter};
    case KEY_BACKSPACE:
    case 127:
    case 8:
      return {Key::kBackspace};
    case 27:
      return {Key::kEscape};
    case '\t':
      return {Key::kTab};
    case KEY_F(1):
      return {Key::kHelp};
    case KEY_F(6):
      return {Key::kSort};
    case KEY_F(10):
      return {Key::kQuit};
    default:
      break;
  }
  if (key >= 0x20 && key < 0x7F) return {Key::kText, static_cast<char>(key)};
  return {};
}

}  // namespace duet::top
