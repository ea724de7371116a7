// Package todo is the error of what is not written yet.
//
// Every function that a learner has to write starts as
//
//	return todo.Err("Send")
//
// so that a program with holes in it still builds, runs, and says which hole
// it fell into. A step whose failure carries this error is "todo", not "wrong".
package todo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
)

// Error says which function is not written yet and where it stands.
type Error struct {
	Func string // as a reader writes it: "New", "Writer.Send"
	File string // base name of the file
	Line int
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s is not written yet (%s:%d)", e.Func, e.File, e.Line)
}

// Err returns the error of an unwritten function. The place that it names is
// the line that calls Err.
func Err(function string) error {
	e := &Error{Func: function, File: "unknown", Line: 0}
	if _, file, line, ok := runtime.Caller(1); ok {
		e.File, e.Line = filepath.Base(file), line
	}
	return e
}

var text = regexp.MustCompile(`(\S+) is not written yet \((\S+):(\d+)\)`)

// In finds the error of an unwritten function in a text. The error reaches the
// harness as text, because it may come out of another process, wrapped in
// other errors on its way.
func In(s string) (*Error, bool) {
	m := text.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	line, err := strconv.Atoi(m[3])
	if err != nil {
		return nil, false
	}
	return &Error{Func: m[1], File: m[2], Line: line}, true
}
