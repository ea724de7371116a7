package explain

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// testLine is the line of the chapter's tests in which the test waits: the innermost one
// of the goroutine that runs it.
func (c *Case) testLine() procfs.Frame {
	if len(c.Processes) == 0 {
		return procfs.Frame{}
	}
	for _, g := range procfs.ParseDump(c.Dumps[c.Processes[0].PID]) {
		var found procfs.Frame
		for _, f := range g.Frames {
			if found.File == "" && c.ownerOf(f) == test {
				found = f
			}
			if f.Func == "testing.tRunner" && found.File != "" {
				return found
			}
		}
	}
	return procfs.Frame{}
}

// AtLine says what the test was doing, behind the first line of a hang's text: the
// statement at that line of its source, and the claim that it makes. Place is how the line
// is called. What cannot be found in the source is left out.
func AtLine(text, place string, source []byte, line int) string {
	statement, claim := statementAt(source, line)
	if statement == "" {
		return text
	}
	opening, rest, _ := strings.Cut(text, "\n")
	says := fmt.Sprintf("%s at %s:\n    %s", strings.TrimSuffix(opening, "."), place, statement)
	if claim != "" {
		says += "\n    " + claim
	}
	if byClose.MatchString(statement+claim) && blockedInCall(rest) {
		says += "\n\n  A Close in another goroutine does not end a system call that waits already.\n" +
			"  Is the descriptor non-blocking (O_NONBLOCK)? Then Go's poller waits, and Close ends that."
	}
	return says + "\n" + rest
}

// byClose are the words of a claim that a Close ends what waits.
var byClose = regexp.MustCompile(`ErrClosed|[Cc]losed meanwhile|Close\(\) meanwhile`)

// blockedInCall says that the first one who waits does so in the kernel, on a descriptor
// that Close should wake.
func blockedInCall(rest string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	for _, call := range []string{"read(2)", "readv(2)", "recvfrom(2)", "recvmsg(2)", "accept(2)", "accept4(2)", "connect(2)", "write(2)", "writev(2)", "sendto(2)", "sendmsg(2)", "poll(2)", "ppoll(2)", "epoll_wait(2)", "epoll_pwait(2)"} {
		if strings.Contains(first, " is blocked in "+call) {
			return true
		}
	}
	return false
}

// statementAt returns the source of the smallest statement at a line, on one line. If it
// is a call of a method of a variable, as recv.ReturnsSoon(…), the claim is the text that
// the variable was made with: recv := l.Call("Recv() of …", …).
func statementAt(source []byte, line int) (statement, claim string) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", ""
	}
	text := func(n ast.Node) string {
		from, to := files.Position(n.Pos()).Offset, files.Position(n.End()).Offset
		return cut(strings.Join(strings.Fields(string(source[from:to])), " "))
	}
	var at ast.Stmt
	var in *ast.FuncDecl
	for _, d := range f.Decls {
		if fn, is := d.(*ast.FuncDecl); is && files.Position(fn.Pos()).Line <= line && line <= files.Position(fn.End()).Line {
			in = fn
		}
	}
	if in == nil {
		return "", ""
	}
	ast.Inspect(in, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.ExprStmt, *ast.AssignStmt, *ast.GoStmt, *ast.DeferStmt, *ast.ReturnStmt, *ast.SendStmt:
			if files.Position(s.Pos()).Line <= line && line <= files.Position(s.End()).Line {
				at = s.(ast.Stmt)
			}
		}
		return true
	})
	if at == nil {
		return "", ""
	}
	of := ""
	ast.Inspect(at, func(n ast.Node) bool {
		if selector, is := n.(*ast.SelectorExpr); is && of == "" {
			if x, is := selector.X.(*ast.Ident); is {
				of = x.Name
			}
		}
		return of == ""
	})
	ast.Inspect(in, func(n ast.Node) bool {
		assign, is := n.(*ast.AssignStmt)
		if !is || assign == at || len(assign.Lhs) != 1 || len(assign.Rhs) != 1 || files.Position(assign.Pos()).Line > line {
			return true
		}
		name, is := assign.Lhs[0].(*ast.Ident)
		call, isCall := assign.Rhs[0].(*ast.CallExpr)
		if !is || !isCall || name.Name != of || len(call.Args) == 0 {
			return true
		}
		if what := text(call.Args[0]); strings.HasPrefix(what, `"`) {
			claim = of + " is " + what
		}
		return true
	})
	return text(at), claim
}

// cut cuts what is too long for a line of a small window.
func cut(s string) string {
	const most = 110
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + " …"
	}
	return s
}
