package explain

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// onInotify reports whether the wait is for an event of inotify(7).
func (w *wait) onInotify() bool {
	return (w.how == inCall || w.how == inPoller) && w.file != nil && w.file.Kind == procfs.Inotify && w.mode != 'w'
}

// explainInotify says which files are watched, and who could make something happen to
// them. That no event waits is known: it would be read.
func (c *Case) explainInotify(w *wait) (lines, advice []string) {
	fd := "fd " + strconv.Itoa(w.fd)
	if len(w.file.WatchedFiles) == 0 {
		return []string{fd + " is an inotify descriptor that watches nothing."},
			[]string{"A watch has to be added (inotify_add_watch(2)). It is gone when its file is gone for good."}
	}
	lines = append(lines, fd+" is an inotify descriptor. It watches")
	for i, watched := range w.file.WatchedFiles {
		if i == most {
			lines = append(lines, fmt.Sprintf("  and %d more", len(w.file.WatchedFiles)-i))
			break
		}
		name, writers := c.watched(watched)
		lines = append(lines, "  "+name+", for "+events(watched.Mask))
		for _, h := range writers {
			lines = append(lines, fmt.Sprintf("    which %s has open for writing as fd %d", c.who(h.p.PID), h.file.FD))
		}
	}
	return append(lines, "No event waits to be read: none of these has happened, or it was read already."), inotifyAdvice
}

var inotifyAdvice = []string{
	"An event tells what happens after the watch began: what was there before wakes nobody up.",
	"Watch first, look after, and only then wait. If something did happen later: was its event asked for?",
	"If no event will come any more (a lock that is free, a time that is over): look again after a while.",
}

// watched finds the file among those that the step's processes have open, and those
// that write to it.
func (c *Case) watched(watched procfs.WatchedFile) (name string, writers []holder) {
	name = fmt.Sprintf("inode %d, which no process of the step has open", watched.Inode)
	for i := range c.Processes {
		p := &c.Processes[i]
		for _, f := range p.Files {
			if f.Inode != watched.Inode || f.Dev != watched.Dev {
				continue
			}
			name = f.Target
			if f.Writes() {
				writers = append(writers, holder{p, f, true})
			}
		}
	}
	return name, writers
}

var eventNames = []struct {
	mask uint32
	name string
}{
	{unix.IN_ACCESS, "IN_ACCESS"}, {unix.IN_MODIFY, "IN_MODIFY"}, {unix.IN_ATTRIB, "IN_ATTRIB"},
	{unix.IN_CLOSE_WRITE, "IN_CLOSE_WRITE"}, {unix.IN_CLOSE_NOWRITE, "IN_CLOSE_NOWRITE"}, {unix.IN_OPEN, "IN_OPEN"},
	{unix.IN_MOVED_FROM, "IN_MOVED_FROM"}, {unix.IN_MOVED_TO, "IN_MOVED_TO"}, {unix.IN_CREATE, "IN_CREATE"},
	{unix.IN_DELETE, "IN_DELETE"}, {unix.IN_DELETE_SELF, "IN_DELETE_SELF"}, {unix.IN_MOVE_SELF, "IN_MOVE_SELF"},
}

// events names the events of a mask.
func events(mask uint32) string {
	if mask&unix.IN_ALL_EVENTS == unix.IN_ALL_EVENTS {
		return "every event"
	}
	var names []string
	for _, e := range eventNames {
		if mask&e.mask != 0 {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return "no event"
	}
	return strings.Join(names, ", ")
}
