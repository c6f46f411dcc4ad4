#!/usr/bin/python3
"""console.py: the console in Python, with the window of its sibling in C.

Usage: console.py [--ca-file FILE] [--report-frames] [URI]

However fast messages come, the window does the same work: rows are added as frames are
drawn, a few a frame, the list keeps the last of them, and the figures change four times
a second.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import argparse
import collections
import locale
import math
import os
import sys
import time

import gi
gi.require_versions({'Gdk': '4.0', 'Graphene': '1.0', 'Gtk': '4.0', 'S9ws': '1'})
from gi.repository import Gdk, Gio, GLib, GObject, Graphene, Gtk, S9ws

HERE = os.path.dirname(os.path.abspath(__file__))
APPLICATION_ID = 's9ws.Console'
DOMAIN = 's9ws-1'

RING_SIZE = 1000
ROWS_PER_FRAME = 20
MAX_ROWS = 1000
PREVIEW_SIZE = 2048
HEX_SIZE = 32
MAX_QUEUED_BYTES = 1 << 20  # what is behind a longer queue would be old when it is shown
PING_INTERVAL = 1  # s
FIGURES_INTERVAL = 250  # ms
NOTHING = '–'


def _(text):
    return GLib.dgettext(DOMAIN, text)


def ngettext(singular, plural, n):
    return GLib.dngettext(DOMAIN, singular, plural, n)


def show_number(number):
    return locale.format_string('%d', number, grouping=True)


class ConsoleMessage(GObject.Object):
    """One row of the list. Only rows that are on the screen are asked for their texts."""

    __gtype_name__ = 'ConsoleMessage'

    ICONS = {'opened': 'network-idle-symbolic', 'closed': 'network-offline-symbolic',
             'error': 'dialog-error-symbolic', 'gap': 'view-more-symbolic'}

    def __init__(self, kind, is_sent, when, size, preview):
        super().__init__()
        self.entry = kind, is_sent, when, size, preview

    @GObject.Property(type=str, flags=GObject.ParamFlags.READABLE)
    def icon_name(self):
        kind, is_sent, *_rest = self.entry
        return self.ICONS.get(kind, 'go-up-symbolic' if is_sent else 'go-down-symbolic')

    @GObject.Property(type=str, flags=GObject.ParamFlags.READABLE)
    def time(self):
        when = self.entry[2]
        return time.strftime('%H:%M:%S', time.localtime(when)) + f'.{int(when * 1000) % 1000:03}'

    @GObject.Property(type=str, flags=GObject.ParamFlags.READABLE)
    def kind(self):
        """The direction is said in words: an arrow says nothing to a screen reader."""
        kind, is_sent, *_rest = self.entry
        return {
            'text': _('Sent text') if is_sent else _('Received text'),
            'binary': _('Received binary'),
            'ping': _('Received ping'),
            'opened': _('Connected'),
            'closed': _('Closed'),
            'error': _('Error'),
            'gap': _('Not shown'),
        }[kind]

    @GObject.Property(type=str, flags=GObject.ParamFlags.READABLE)
    def text(self):
        kind, _is_sent, _when, size, preview = self.entry
        if kind == 'gap':
            return ngettext('%s message', '%s messages', size) % show_number(size)
        if isinstance(preview, bytes):
            return preview.hex(' ') + (' …' if size > len(preview) else '')
        return preview

    @GObject.Property(type=str, flags=GObject.ParamFlags.READABLE)
    def size(self):
        kind, _is_sent, _when, size, _preview = self.entry
        return GLib.format_size(size) if kind in ('text', 'binary', 'ping') else NOTHING


class ConsoleConnection(GObject.Object, S9ws.Handler):
    """The connection, and what came from it and is not shown yet.

    A handler of S9ws.AsyncClient, called on the main thread. It is called for every
    message, so it does as little as it can: it counts, and keeps the last messages in a
    ring. What the ring has no place for is counted as not shown.
    """

    __gtype_name__ = 'ConsoleConnection'
    __gsignals__ = {
        'changed': (GObject.SignalFlags.RUN_LAST, None, ()),
        'pending': (GObject.SignalFlags.RUN_LAST, None, ()),
        'failed': (GObject.SignalFlags.RUN_LAST, None, (str,)),
    }

    def __init__(self, options):
        super().__init__()
        self.options = options
        self.client = None
        self.state = S9ws.State.CLOSED
        self.ring = collections.deque(maxlen=RING_SIZE)
        self.is_paused = False
        self.is_pending = False  # the window knows that there is something to take
        self.n_dropped = 0  # older than the ring, since the last take
        self.ping_source = 0
        self.forget()

    def forget(self):
        self.n_received = self.n_sent = self.n_hidden = 0
        self.round_trip = -1  # µs
        self.awaits_pong = False

    def set_state(self, state):
        if self.state != state:
            self.state = state
            self.emit('changed')

    def push(self, kind, is_sent, size, preview):
        if len(self.ring) == RING_SIZE:
            self.n_dropped += 1
            self.n_hidden += 1
        self.ring.append((kind, is_sent, time.time(), size, preview))
        if not self.is_pending:
            self.tell()

    def tell(self):
        if not self.is_paused and self.ring:
            self.is_pending = True
            self.emit('pending')

    def take(self, limit):
        """At most that many rows for the list, oldest first; none if there are none."""
        rows = []
        if self.is_paused or not self.ring:
            self.is_pending = False
            return rows
        if self.n_dropped > 0:
            rows.append(ConsoleMessage('gap', False, time.time(), self.n_dropped, None))
            self.n_dropped = 0
        while self.ring and len(rows) < limit:
            rows.append(ConsoleMessage(*self.ring.popleft()))
        return rows

    def set_paused(self, is_paused):
        self.is_paused = is_paused
        if not self.is_pending:
            self.tell()

    def open(self, uri):
        """A client lives for one connection: each has its own."""
        if self.state != S9ws.State.CLOSED:
            return
        self.forget()
        self.client = S9ws.AsyncClient.new(uri, self.options)
        self.client.set_handler(self)
        self.set_state(S9ws.State.CONNECTING)
        self.client.open_async(None)

    def close(self):
        """Politely at first; at once if it is not open yet, or asked again."""
        if self.client is None:
            return
        if self.state == S9ws.State.OPEN:
            try:
                self.client.close(1000, None)
                self.set_state(S9ws.State.CLOSING)
                return
            except GLib.Error:
                pass
        self.client.force_quit()

    def stop(self):
        """Nothing is heard of it any more."""
        self.stop_pings()
        if self.client is not None:
            self.client.set_handler(None)
            self.client = None

    def send_text(self, text):
        self.client.send_text(text)
        self.n_sent += 1
        self.push('text', True, len(text.encode()), text[:PREVIEW_SIZE])

    def on_ping_time(self):
        """One ping at a time: a busy server is not to be hurried."""
        if not self.awaits_pong and self.state == S9ws.State.OPEN:
            try:
                self.awaits_pong = self.client.send_ping(b'')
            except GLib.Error:
                pass
        return GLib.SOURCE_CONTINUE

    def stop_pings(self):
        if self.ping_source:
            GLib.source_remove(self.ping_source)
            self.ping_source = 0

    def do_activated(self, client):
        self.push('opened', False, 0, client.get_protocol() or client.get_uri())
        self.ping_source = GLib.timeout_add_seconds(PING_INTERVAL, self.on_ping_time)
        self.set_state(S9ws.State.OPEN)
        self.on_ping_time()

    def do_text_message(self, client, text, length):
        self.n_received += 1
        self.push('text', False, length, text[:PREVIEW_SIZE] + '…' if length > PREVIEW_SIZE else text)

    def do_binary_message(self, client, data, length):
        self.n_received += 1
        self.push('binary', False, length, data[:HEX_SIZE])

    def do_ping(self, client, data, length):
        self.push('ping', False, length, data[:HEX_SIZE])

    def do_pong(self, client, _data, _length):
        self.awaits_pong = False
        self.round_trip = client.get_stats().last_round_trip

    def do_error(self, client, error):
        self.push('error', False, 0, error.message)
        self.emit('failed', error.message)

    def do_connection_closed(self, client, code, reason):
        self.push('closed', False, 0, f'{code} {reason or ""}'.strip())

    def do_quit(self, client):
        self.stop_pings()
        self.client = None
        self.set_state(S9ws.State.CLOSED)


class ConsolePlot(Gtk.Widget):
    """Messages a second, over the last half minute."""

    __gtype_name__ = 'ConsolePlot'

    N_VALUES = 120
    HEIGHT = 120

    def __init__(self):
        super().__init__()
        self.values = collections.deque([0] * self.N_VALUES, self.N_VALUES)

    def add(self, value):
        self.values.append(value)
        self.queue_draw()

    def get_top(self):
        """1, 2 or 5 times a power of ten, and not below all values."""
        largest = max(10, *self.values)
        power = 10 ** math.floor(math.log10(largest))
        return next(factor * power for factor in (1, 2, 5, 10) if largest <= factor * power)

    def draw_line(self, snapshot, color, value, y):
        pale = color.copy()
        pale.alpha = color.alpha * 0.15
        snapshot.append_color(pale, Graphene.Rect().init(0, round(y), self.get_width(), 1))
        if value == 0:
            return
        pale.alpha = color.alpha * 0.65
        snapshot.save()
        snapshot.translate(Graphene.Point().init(2, round(y) + 1))
        snapshot.append_layout(self.create_pango_layout(show_number(value)), pale)
        snapshot.restore()

    def do_snapshot(self, snapshot):
        style = self.get_style_context()
        text_color = style.get_color()
        found, color = style.lookup_color('theme_selected_bg_color')
        height = self.get_height() - 1
        step = self.get_width() / self.N_VALUES
        top = self.get_top()

        for i, value in enumerate(self.values):
            size = math.ceil(height * value / top)
            left = round(i * step)
            if size > 0:
                snapshot.append_color(color if found else text_color, Graphene.Rect().init(
                    left, height - size, max(round((i + 1) * step) - left - 1, 1), size))
        for i in range(3):
            self.draw_line(snapshot, text_color, top * i // 2, height - height * i / 2)

    def do_measure(self, orientation, for_size):
        size = self.HEIGHT if orientation == Gtk.Orientation.VERTICAL else self.N_VALUES
        return size, size, -1, -1


@Gtk.Template(filename=os.path.join(HERE, 'window.ui'))
class ConsoleWindow(Gtk.ApplicationWindow):
    __gtype_name__ = 'ConsoleWindow'

    connect_button = Gtk.Template.Child()
    disconnect_button = Gtk.Template.Child()
    address_entry = Gtk.Template.Child()
    error_bar = Gtk.Template.Child()
    error_label = Gtk.Template.Child()
    state_label = Gtk.Template.Child()
    trip_label = Gtk.Template.Child()
    rate_label = Gtk.Template.Child()
    received_label = Gtk.Template.Child()
    sent_label = Gtk.Template.Child()
    hidden_label = Gtk.Template.Child()
    plot = Gtk.Template.Child()
    stack = Gtk.Template.Child()
    scroller = Gtk.Template.Child()
    hint_label = Gtk.Template.Child()
    selection = Gtk.Template.Child()
    detail = Gtk.Template.Child()
    message_entry = Gtk.Template.Child()

    def __init__(self, application, options):
        super().__init__(application=application)
        self.tick = 0
        self.n_added = 0  # rows, in the last frame
        self.figures_source = 0
        self.figures_time = 0.0
        self.figures_received = 0

        self.messages = Gio.ListStore.new(ConsoleMessage)
        self.selection.set_model(self.messages)
        self.add_actions()
        self.set_help_overlay(Gtk.Builder.new_from_file(
            os.path.join(HERE, 'shortcuts.ui')).get_object('help_overlay'))

        self.connection = ConsoleConnection(options)
        self.connection.connect('changed', self.on_state_changed)
        self.connection.connect('pending', self.on_pending)
        self.connection.connect('failed', lambda _connection, message: self.show_error(message))
        self.connect('unrealize', self.on_unrealize)
        self.show_state()
        self.address_entry.grab_focus()

    def add_actions(self):
        for name, function in (('connect', self.open), ('disconnect', self.close_connection),
                               ('send', self.send), ('clear', self.clear), ('copy', self.copy),
                               ('unselect', self.unselect),
                               ('edit-address', self.address_entry.grab_focus),
                               ('edit-message', self.message_entry.grab_focus)):
            action = Gio.SimpleAction.new(name, None)
            action.connect('activate', lambda _action, _parameter, call=function: call())
            self.add_action(action)
        pause = Gio.SimpleAction.new_stateful('pause', None, GLib.Variant('b', False))
        pause.connect('change-state', self.on_pause)
        self.add_action(pause)

    def on_unrealize(self, _window):
        self.connection.stop()
        if self.figures_source:
            GLib.source_remove(self.figures_source)
            self.figures_source = 0

    # Figures

    def show_figures(self):
        connection = self.connection
        self.received_label.set_label(show_number(connection.n_received))
        self.sent_label.set_label(show_number(connection.n_sent))
        self.hidden_label.set_label(show_number(connection.n_hidden))
        # Translators: milliseconds
        self.trip_label.set_label(locale.format_string(_('%.2f ms'), connection.round_trip / 1000)
                                  if connection.round_trip >= 0 else NOTHING)

    def on_figures_time(self):
        """The interval is not what was asked for, but what it was."""
        now = time.monotonic()
        received = self.connection.n_received
        rate = (received - self.figures_received) / max(now - self.figures_time, 1e-6)
        self.figures_time, self.figures_received = now, received
        self.show_figures()
        self.rate_label.set_label(show_number(round(rate)))
        self.plot.add(rate)
        return GLib.SOURCE_CONTINUE

    def start_figures(self):
        self.figures_time, self.figures_received = time.monotonic(), 0
        if not self.figures_source:
            self.figures_source = GLib.timeout_add(FIGURES_INTERVAL, self.on_figures_time)

    # The list

    def is_at_end(self):
        """Whether the list is where it was left, but for the rows that have been added since.

        If not, somebody has scrolled back to read. All rows are of one height.
        """
        adjustment = self.scroller.get_vadjustment()
        upper = adjustment.get_upper()
        below = upper - adjustment.get_page_size() - adjustment.get_value()
        n = len(self.messages)
        return n == 0 or below < (self.n_added + 1.5) * upper / n

    def scroll_to_end(self):
        adjustment = self.scroller.get_vadjustment()
        adjustment.set_value(adjustment.get_upper())

    def on_pending(self, _connection):
        if not self.tick:
            self.tick = self.add_tick_callback(self.on_tick)

    def on_tick(self, _window, _clock):
        """The rows of a frame are scrolled to in the next one, when their place is known."""
        rows = self.connection.take(ROWS_PER_FRAME)
        if self.is_at_end():
            self.scroll_to_end()

        self.n_added = len(rows)
        if not rows:
            self.tick = 0
            return GLib.SOURCE_REMOVE

        self.messages.splice(len(self.messages), 0, rows)
        excess = len(self.messages) - MAX_ROWS
        if excess > 0:
            self.messages.splice(0, excess, [])
        self.stack.set_visible_child_name('messages')
        return GLib.SOURCE_CONTINUE

    # The connection

    def show_state(self):
        state = self.connection.state
        is_closed = state == S9ws.State.CLOSED
        self.state_label.set_label({
            S9ws.State.CONNECTING: _('Connecting…'),
            S9ws.State.OPEN: _('Connected'),
            S9ws.State.CLOSING: _('Closing…'),
            S9ws.State.CLOSED: _('Not connected'),
        }[state])
        self.connect_button.set_visible(is_closed)
        self.disconnect_button.set_visible(not is_closed)
        self.hint_label.set_visible(is_closed)
        self.address_entry.set_editable(is_closed)
        self.lookup_action('connect').set_enabled(is_closed and self.address_entry.get_text() != '')
        self.lookup_action('disconnect').set_enabled(not is_closed)
        self.lookup_action('send').set_enabled(state == S9ws.State.OPEN)

    def on_state_changed(self, connection):
        self.show_state()
        if connection.state == S9ws.State.CONNECTING:
            self.start_figures()
        elif connection.state == S9ws.State.OPEN:
            self.message_entry.grab_focus()
        elif connection.state == S9ws.State.CLOSED:
            self.address_entry.grab_focus()

    def show_error(self, message):
        self.error_label.set_label(message)
        self.error_bar.set_property('revealed', True)

    # Actions

    def open(self):
        self.error_bar.set_property('revealed', False)
        self.connection.open(self.address_entry.get_text().strip())

    def close_connection(self):
        self.connection.close()

    def send(self):
        try:
            self.connection.send_text(self.message_entry.get_text())
            self.message_entry.set_text('')
        except GLib.Error as error:
            self.show_error(error.message)
        self.show_figures()

    def clear(self):
        self.messages.remove_all()
        self.stack.set_visible_child_name('empty')

    def copy(self):
        message = self.selection.get_selected_item()
        if message is not None:
            self.get_clipboard().set(message.text)

    def unselect(self):
        self.selection.set_selected(Gtk.INVALID_LIST_POSITION)

    def on_pause(self, action, value):
        action.set_state(value)
        self.connection.set_paused(value.get_boolean())

    # What the template names

    @Gtk.Template.Callback()
    def on_selected(self, selection, _pspec):
        """What a row has no room for."""
        self.detail.set_visible(selection.get_selected_item() is not None)

    @Gtk.Template.Callback()
    def on_address_activate(self, _entry):
        self.activate_action('win.connect', None)

    @Gtk.Template.Callback()
    def on_address_changed(self, _entry):
        self.show_state()

    @Gtk.Template.Callback()
    def on_message_activate(self, _entry):
        self.activate_action('win.send', None)

    @Gtk.Template.Callback()
    def on_error_response(self, error_bar, _response):
        error_bar.set_property('revealed', False)


class Frames:
    """Has a window draw as often as it can, and prints a line each second."""

    def __init__(self, window):
        self.n_frames, self.since, self.last, self.longest_gap = 0, 0.0, 0.0, 0.0
        window.connect('realize', self.on_realize)

    def on_realize(self, window):
        clock = window.get_frame_clock()
        clock.connect('after-paint', self.on_after_paint)
        clock.begin_updating()

    def on_after_paint(self, _clock):
        now = time.monotonic()
        if not self.last:
            self.since = self.last = now
        self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now
        self.n_frames += 1
        if now - self.since >= 1:
            print(f'frames {self.n_frames} in {(now - self.since) * 1000:.0f} ms, '
                  f'longest gap {self.longest_gap * 1000:.1f} ms', flush=True)
            self.n_frames, self.since, self.longest_gap = 0, now, 0.0


class Application(Gtk.Application):
    ACCELERATORS = {
        'win.edit-address': '<Control>l',
        'win.edit-message': '<Control>m',
        'win.connect': '<Control>Return',
        'win.disconnect': '<Control>d',
        'win.pause': '<Control>p',
        'win.clear': '<Control>k',
        'win.copy': '<Control><Shift>c',
        'win.show-help-overlay': '<Control>question',
        'window.close': '<Control>w',
        'app.quit': '<Control>q',
    }

    def __init__(self, arguments):
        super().__init__(application_id=APPLICATION_ID, flags=Gio.ApplicationFlags.NON_UNIQUE)
        self.arguments = arguments

    def do_startup(self):
        Gtk.Application.do_startup(self)
        for name, function in (('about', self.show_about), ('quit', self.destroy_windows)):
            action = Gio.SimpleAction.new(name, None)
            action.connect('activate', function)
            self.add_action(action)
        for action, accelerator in self.ACCELERATORS.items():
            self.set_accels_for_action(action, [accelerator])

        display = Gdk.Display.get_default()
        Gtk.IconTheme.get_for_display(display).add_search_path(os.path.join(HERE, 'icons'))
        style = Gtk.CssProvider()
        style.load_from_path(os.path.join(HERE, 'style.css'))
        Gtk.StyleContext.add_provider_for_display(display, style, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)

    def do_activate(self):
        options = S9ws.Options(max_queued_bytes=MAX_QUEUED_BYTES)
        if self.arguments.ca_file:
            options.props.tls_context = S9ws.TlsContext(ca_file=self.arguments.ca_file)
        window = ConsoleWindow(self, options)
        frames = Frames(window) if self.arguments.report_frames else None
        window.frames = frames
        window.present()
        if self.arguments.uri:
            window.address_entry.set_text(self.arguments.uri)
            window.activate_action('win.connect', None)

    def show_about(self, _action, _parameter):
        Gtk.AboutDialog(transient_for=self.get_active_window(), modal=True,
                        program_name=_('WebSocket Console'), logo_icon_name=APPLICATION_ID,
                        comments=_('An example of s9ws, WebSocket clients for GLib programs'),
                        license_type=Gtk.License.LGPL_2_1).present()

    def destroy_windows(self, _action, _parameter):
        for window in self.get_windows():
            window.destroy()


def main():
    locale.setlocale(locale.LC_ALL, '')
    # The library binds the domain to where its translations are, with its first client.
    S9ws.AsyncClient.new('', None)

    parser = argparse.ArgumentParser(description=_('A console for WebSocket servers'))
    parser.add_argument('--ca-file', metavar=_('FILE'),
                        help=_('Trust the certificate authorities in FILE (PEM) instead of the system’s'))
    parser.add_argument('--report-frames', action='store_true',
                        help=_('Print each second how many frames have been drawn'))
    parser.add_argument('uri', metavar='URI', nargs='?')
    arguments = parser.parse_args()

    GLib.set_application_name(_('WebSocket Console'))
    return Application(arguments).run([sys.argv[0]])


if __name__ == '__main__':
    sys.exit(main())
