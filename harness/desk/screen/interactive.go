package screen

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Interactive returns a screen for a program that is used with single keys. The
// terminal hands over each key at once then, and does not echo it; Ctrl-C stays an
// interrupt. What it was before, restore brings back. Where the input is no terminal
// nothing is changed.
func Interactive(in, out *os.File, task string) (s Screen, restore func(), err error) {
	s = New(out, task)
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return s, func() {}, nil
	}
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return s, nil, fmt.Errorf("asking the terminal how it is set: %w", err)
	}
	keys := *before
	keys.Lflag &^= unix.ICANON | unix.ECHO
	keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &keys); err != nil {
		return s, nil, fmt.Errorf("setting the terminal for single keys: %w", err)
	}
	return s, func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}

// Keys are the keys that are pressed, until the input ends. It is nil where the input
// is no terminal.
func Keys(ctx context.Context, in *os.File) <-chan byte {
	if !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	keys := make(chan byte)
	go func() {
		defer close(keys)
		one := make([]byte, 1)
		for {
			if n, err := in.Read(one); err != nil || n == 0 {
				return
			}
			select {
			case keys <- one[0]:
			case <-ctx.Done():
				return
			}
		}
	}()
	return keys
}

// Choices are keys to press.
func (s Screen) Choices(keys ...string) { s.Line("%s", strings.Join(pack(keys, "   ", s.width), "\n")) }

// Clear empties the terminal. Elsewhere there is nothing to empty.
func (s Screen) Clear() {
	if s.terminal {
		s.write("\x1b[H\x1b[2J\x1b[3J")
	}
}

// Status says what goes on. On a terminal it is a line at the top, over what is there:
// the list below it stays where it is.
func (s Screen) Status(text string) {
	if !s.terminal {
		s.Line("%s", text)
	}
	s.Update(text)
}

// Update changes what Status says. Where no line can be drawn anew it does nothing.
func (s Screen) Update(text string) {
	if s.terminal {
		s.write("\x1b7\x1b[H" + cut(text, s.room) + "\x1b[K\x1b8")
	}
}
