#include "dashboard/window/actions.h"

#include <QCoreApplication>
#include <QKeySequence>
#include <QMenu>
#include <stdexcept>

namespace duet::dashboard {

namespace {
QString tr(const char* text) {
  return QCoreApplication::translate("Actions", text);
}
}  // namespace

const std::vector<ActionRow>& Actions::table() {
  static const std::vector<ActionRow> rows{
      {"connect", "&Run", "&Connect …", "Ctrl+K",
       "Watch a run: the address of any one worker finds the others"},
      {"open", "&Run", "&Open recording …", "Ctrl+O", "Play a recording"},
      {"demo", "&Run", "&Demo", "", "Synthetic workers: nothing else is needed"},
      {"", "&Run", "", "", ""},
      {"record", "&Run", "&Record …", "Ctrl+R", "Write every frame to a file, to play it later", true},
      {"", "&Run", "", "", ""},
      {"export_plots", "&Run", "Save &plots as picture …", "Ctrl+S", "The time plots as PNG or SVG"},
      {"export_graph", "&Run", "Save &graph as picture …", "Ctrl+G", "The graph as PNG or SVG"},
      {"export_window", "&Run", "Save &window as picture …", "", "The whole window as PNG"},
      {"export_csv", "&Run", "Save visible &data as CSV …", "Ctrl+E", "What the plots show, as a table"},
      {"copy", "&Run", "Cop&y picture", "Ctrl+Shift+C",
       "The plots, or the graph where the keys go, to the clipboard"},
      {"", "&Run", "", "", ""},
      {"quit", "&Run", "&Quit", "Ctrl+Q", "Workers do not notice"},

      {"live", "&View", "&Pause", "Ctrl+Space",
       "Stand still, or follow the newest data; data goes on arriving", true},
      {"fit", "&View", "&Fit all", "Ctrl+0", "All that is held"},
      {"longer", "&View", "&Longer window", "Ctrl+]", "Show more of the past while live, up to an hour"},
      {"shorter", "&View", "&Shorter window", "Ctrl+[",
       "Show less of the past while live, down to 10 seconds"},
      {"", "&View", "", "", ""},
      {"all_lines", "&View", "&All workers' lines", "Ctrl+Shift+A", "A line for every worker"},
      {"no_lines", "&View", "&Mean and band alone", "Ctrl+Shift+M", "No worker's own line"},
      {"bound", "&View", "Theory's &bound", "Ctrl+B",
       "How fast mixing alone brings the workers together, in the consensus plot", true},
      {"", "&View", "", "", ""},
      {"theme_system", "&View", "Theme: s&ystem", "", "Light or dark, as the desktop was at the start", true},
      {"theme_light", "&View", "Theme: l&ight", "", "Dark on light", true},
      {"theme_dark", "&View", "Theme: &dark", "", "Light on dark", true},
      {"", "&View", "", "", ""},
      {"go_plots", "&View", "Go to plots", "Ctrl+1", "The keys go to the time plots"},
      {"go_legend", "&View", "Go to legend", "Ctrl+2", "The keys go to the legend"},
      {"go_graph", "&View", "Go to graph", "Ctrl+3",
       "The keys go to the graph, also where it is behind the matrix"},
      {"go_matrix", "&View", "Go to matrix", "Ctrl+4", "The keys go to the pairing matrix"},
      {"go_workers", "&View", "Go to workers", "Ctrl+5", "The keys go to the table of workers"},
      {"go_events", "&View", "Go to events", "Ctrl+6", "The keys go to the log of events"},
      {"", "&View", "", "", ""},
      {"reset_layout", "&View", "&Reset layout", "", "All docks back to where they were at first"},
      {"full_screen", "&View", "F&ull screen", "F11", "Or back", true},

      {"play", "&Playback", "&Play or pause", "Space", "Of a recording or the demo"},
      {"faster", "&Playback", "&Faster", "Ctrl+.", "Up to 100 times"},
      {"slower", "&Playback", "&Slower", "Ctrl+,", "Down to a tenth"},

      {"what_if_reset", "&Graph", "&Put everything back", "", "Ends the what-if: the graph as it is"},
      {"what_if_remove", "&Graph", "&What if without this worker", "Ctrl+D",
       "The worker that has the attention; again: put it back"},
      {"no_focus", "&Graph", "&Give the attention up", "Ctrl+U", "No worker stands out any more"},

      {"help", "&Help", "&Help", "F1", "This"},
      {"shortcuts", "&Help", "&Keys and mouse", "?", "What one can press and click"},
      {"about", "&Help", "&About Duet", "", "Version and licence"},
  };
  return rows;
}

const std::vector<GestureRow>& Actions::gestures() {
  static const std::vector<GestureRow> rows{
      {"Plots", "drag", "zoom to the box; a flat one zooms time alone"},
      {"Plots", "Ctrl-drag, middle-drag", "pan"},
      {"Plots", "wheel", "zoom; over an axis, that axis alone"},
      {"Plots", "double-click", "fit; over an axis, that axis alone"},
      {"Plots", "Left, Right", "step the crosshair from sample to sample"},
      {"Plots", "Shift+Left, Shift+Right", "pan"},
      {"Plots", "+, −", "zoom"},
      {"Plots", "Backspace", "take a zoom back"},
      {"Plots", "Escape", "back to live"},
      {"Legend", "click, Space", "a worker's line on or off"},
      {"Legend", "Ctrl-click, Ctrl+Return", "this worker alone; again: back"},
      {"Legend", "double-click, Return", "attention: this worker stands out everywhere"},
      {"Graph", "click, Left, Right", "attention to a worker"},
      {"Graph", "click, Up, Down", "mark an edge (of that worker)"},
      {"Graph", "wheel, Ctrl-drag, double-click", "zoom, pan, all of it"},
      {"Graph", "Delete, right-click", "what if: without this worker or edge"},
      {"Matrix", "click, Up, Down", "attention to a worker"},
  };
  return rows;
}

Actions::Actions(QWidget* parent) {
  for (const ActionRow& row : table()) {
    if (row.id[0] == '\0') continue;
    auto* action = new QAction(tr(row.text), parent);
    action->setObjectName(QString::fromLatin1(row.id));
    action->setShortcut(QKeySequence(QString::fromLatin1(row.shortcut)));
    action->setStatusTip(tr(row.help));
    action->setToolTip(tr(row.help));
    action->setCheckable(row.checkable);
    parent->addAction(action);
    actions_[row.id] = action;
  }
}

QAction* Actions::operator[](const char* id) const {
  const auto found = actions_.find(id);
  if (found == actions_.end()) throw std::logic_error(std::string("no action ") + id);
  return found->second;
}

QMenu* Actions::menu(const char* name) const {
  return menus_.at(name);
}

void Actions::fill(QMenuBar& bar) {
  for (const ActionRow& row : table()) {
    QMenu*& menu = menus_[row.menu];
    if (menu == nullptr) menu = bar.addMenu(tr(row.menu));
    if (row.id[0] == '\0') {
      menu->addSeparator();
    } else {
      menu->addAction((*this)[row.id]);
    }
  }
}

QString Actions::shortcuts_html() const {
  QString html = QStringLiteral("<table cellspacing='0' cellpadding='3'>");
  const auto line = [&html](const QString& keys, const QString& text) {
    html += QStringLiteral("<tr><td><b>%1</b>&nbsp;&nbsp;</td><td>%2</td></tr>")
                .arg(keys.toHtmlEscaped(), text.toHtmlEscaped());
  };
  const auto head = [&html](const QString& text) {
    html += QStringLiteral("<tr><td colspan='2'><h4>%1</h4></td></tr>").arg(text.toHtmlEscaped());
  };
  QString menu;
  for (const ActionRow& row : table()) {
    if (row.id[0] == '\0' || row.shortcut[0] == '\0') continue;
    if (menu != tr(row.menu)) {
      menu = tr(row.menu);
      head(QString(menu).remove('&'));
    }
    const QString name = QString(tr(row.text)).remove('&').remove(QStringLiteral(" …"));
    line((*this)[row.id]->shortcut().toString(QKeySequence::NativeText),
         name + QStringLiteral(": ") + tr(row.help));
  }
  QString where;
  for (const GestureRow& row : gestures()) {
    if (where != tr(row.where)) {
      where = tr(row.where);
      head(where);
    }
    line(tr(row.gesture), tr(row.help));
  }
  return html + QStringLiteral("</table>");
}

QString Actions::help_html() const {
  return tr("<h2>Duet dashboard</h2>"
            "<p>Watches a decentralised training: every worker trains at its own pace, meets one neighbour "
            "at a time, and the"
            " two average. Whether they agree is the <b>consensus distance</b>, √(mean of ‖x_i − x̄‖²): it "
            "should settle at a"
            " level, not grow. The <b>graph</b> shows who meets whom: an edge is as wide as its rate of "
            "meetings, glows when"
            " two meet, and turns orange, then dashed, the longer the last meeting is ago. The <b>strip</b> "
            "says what is"
            " wrong and with whom; a click leads there.</p>"
            "<p>The dashboard only reads. One that is slow or closed loses frames; the workers do not "
            "notice.</p>") +
         shortcuts_html();
}

}  // namespace duet::dashboard
