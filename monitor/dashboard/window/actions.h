#pragma once

#include <QAction>
#include <QMenu>
#include <QMenuBar>
#include <QString>
#include <map>
#include <string>
#include <vector>

namespace duet::dashboard {

/// One row for each thing that can be done from a menu or with a key. Menus, F1 and the list of shortcuts
/// come from here.
struct ActionRow {
  const char* id;
  const char* menu;  ///< "&File"
  const char* text;
  const char* shortcut;  ///< "Ctrl+O"; empty: none
  const char* help;      ///< one sentence
  bool checkable = false;
};

/// A gesture that no menu has: on plots, graph, legend.
struct GestureRow {
  const char* where;
  const char* gesture;
  const char* help;
};

class Actions {
 public:
  explicit Actions(QWidget* parent);

  static const std::vector<ActionRow>& table();
  static const std::vector<GestureRow>& gestures();
  QAction* operator[](const char* id) const;
  /// Menus in the table's order; a row whose text is empty is a line between two groups.
  void fill(QMenuBar& bar);
  /// By the table's name for it; after fill().
  QMenu* menu(const char* name) const;
  /// Tables of shortcuts and gestures, as rich text.
  QString shortcuts_html() const;
  /// What the program is, how to read it, then the shortcuts.
  QString help_html() const;

 private:
  std::map<std::string, QAction*> actions_;
  std::map<std::string, QMenu*> menus_;
};

}  // namespace duet::dashboard
