package check

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// merged is an implementation and variants of it in one package. A function in which they
// differ has the bodies of all, and a number says which one is entered:
//
//	func (w *Writer) Close() error {
//		switch workbookVariant[1] {
//		case 2: { what the second variant has here }
//		}
//		what the implementation has here
//	}
//
// So what a variant executes is what it executes by itself, and messages name the lines of
// its own files. In a block of its own a name that is declared beside a parameter's would be
// another one (see declaresAgain): such a body does not fit.
type merged struct {
	files map[string]*mergedFile
	added map[string]string // functions that a variant has more, by name
	count int               // of the variants
}

type mergedFile struct {
	source
	cases   map[string][]string // of the variants, by the function's name
	more    []string            // functions that the implementation does not have
	imports []string            // and imports
}

// source is a file of a package, parsed.
type source struct {
	text      []byte
	functions map[string]function
	imported  []string // as they are written
	after     int      // the offset at which another import may stand
	rest      string   // all but imports, bodies and comments
}

// function is one that has a body.
type function struct {
	text   string
	head   string // what stands before the body
	body   string // what stands between its braces
	line   int    // of the function
	open   token.Position
	labels []int // the offsets in the body at which a label's name ends
	method bool
	again  bool // see declaresAgain
	falls  bool // it has no results, and may end without a return
}

func parse(name string, text []byte) (source, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	s := source{text: text, functions: map[string]function{}, after: at(f.Name.End())}
	rest := []string{string(text[:at(f.Name.End())])}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") {
				rest = append(rest, c.Text)
			}
		}
	}
	for _, i := range f.Imports {
		s.imported = append(s.imported, string(text[at(i.Pos()):at(i.End())]))
	}
	for _, d := range f.Decls {
		text := text[at(d.Pos()):at(d.End())]
		fn, is := d.(*ast.FuncDecl)
		switch g, general := d.(*ast.GenDecl); {
		case general && g.Tok == token.IMPORT:
			s.after = at(g.End())
		case !is || fn.Body == nil || fn.Name.Name == "init" || fn.Name.Name == "_":
			rest = append(rest, compare.Part{Text: string(text)}.Code())
		default:
			s.functions[compare.Name(fn)] = newFunction(set, fn, string(text))
		}
	}
	s.rest = strings.Join(rest, "\n")
	return s, nil
}

func newFunction(set *token.FileSet, fn *ast.FuncDecl, text string) function {
	from, shut := set.Position(fn.Pos()), set.Position(fn.Body.Rbrace)
	f := function{text: text, line: from.Line, open: set.Position(fn.Body.Lbrace), method: fn.Recv != nil,
		again: declaresAgain(fn), falls: fn.Type.Results == nil}
	f.head, f.body = text[:f.open.Offset-from.Offset], text[f.open.Offset+1-from.Offset:shut.Offset-from.Offset]
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		label := (*ast.Ident)(nil)
		switch n := n.(type) {
		case *ast.LabeledStmt:
			label = n.Label
		case *ast.BranchStmt:
			label = n.Label
		}
		if label != nil {
			f.labels = append(f.labels, set.Position(label.End()).Offset-f.open.Offset-1)
		}
		return true
	})
	slices.Sort(f.labels)
	return f
}

// declaresAgain says that a statement of the body's own block, as
//
//	n, err := read()
//
// declares something beside a name that the function's head has. There this is the head's one.
// In a block within the body it would be another one.
func declaresAgain(fn *ast.FuncDecl) bool {
	head := map[string]bool{}
	for _, list := range []*ast.FieldList{fn.Recv, fn.Type.Params, fn.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				head[name.Name] = name.Name != "_"
			}
		}
	}
	return slices.ContainsFunc(fn.Body.List, func(s ast.Stmt) bool {
		for label, is := s.(*ast.LabeledStmt); is; label, is = s.(*ast.LabeledStmt) {
			s = label.Stmt
		}
		a, is := s.(*ast.AssignStmt)
		return is && a.Tok == token.DEFINE && slices.ContainsFunc(a.Lhs, func(e ast.Expr) bool {
			name, is := e.(*ast.Ident)
			return is && head[name.Name]
		})
	})
}

// clause is the function's body as a case of a switch. A label is known in a whole function:
// each body has names of its own.
func (f function) clause(number int) string {
	var body strings.Builder
	from := 0
	for _, at := range f.labels {
		fmt.Fprintf(&body, "%s_%d", f.body[from:at], number)
		from = at
	}
	body.WriteString(f.body[from:])
	if f.falls {
		body.WriteString("\nreturn")
	}
	return fmt.Sprintf("case %d: {/*line :%d:%d*/%s\n}\n", number, f.open.Line, f.open.Column+1, &body)
}

// merge begins with an implementation alone.
func merge(texts map[string][]byte) (*merged, error) {
	m := &merged{files: map[string]*mergedFile{}, added: map[string]string{}}
	for name, text := range texts {
		s, err := parse(name, text)
		if err != nil {
			return nil, err
		}
		m.files[name] = &mergedFile{source: s, cases: map[string][]string{}}
	}
	return m, nil
}

// add adds a variant. It is false, and nothing is added, where more is different than imports
// and what functions do.
func (m *merged) add(texts map[string][]byte) bool {
	if !slices.Equal(slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(m.files))) {
		return false
	}
	var all []func()
	number := m.count + 1
	for name, text := range texts {
		file := m.files[name]
		if bytes.Equal(text, file.text) {
			continue
		}
		s, err := parse(name, text)
		if err != nil || s.rest != file.rest {
			return false
		}
		for name, f := range s.functions {
			was, there := file.functions[name]
			switch {
			case f.text == was.text:
			case there && f.head == was.head && !f.again:
				all = append(all, func() { file.cases[name] = append(file.cases[name], f.clause(number)) })
			case !there && !f.method && types.Universe.Lookup(name) == nil && m.added[name] == "":
				all = append(all, func() {
					m.added[name] = f.text
					file.more = append(file.more, fmt.Sprintf("/*line :%d:1*/%s\n", f.line, f.text))
				})
			case !there && m.added[name] == f.text:
			default:
				return false
			}
		}
		all = append(all, func() { file.imports = append(file.imports, s.imported...) })
	}
	for _, add := range all {
		add()
	}
	m.count = number
	return true
}

// impl is the package. The mark is found in its binary again, before the number.
func (m *merged) impl(name, pkg string, mark uint64) overlay.Impl {
	texts := map[string][]byte{"workbook_variant.go": fmt.Appendf(nil, "package %s\n\nvar workbookVariant = [2]uint64{%#x, 0}\n", pkg, mark)}
	for name, f := range m.files {
		texts[name] = f.source.with(f.cases, f.imports, f.more)
	}
	return overlay.Memory(name, texts)
}

// with is the file with the variants' cases, imports and functions.
func (s source) with(cases map[string][]string, imports, more []string) []byte {
	var out bytes.Buffer
	out.Write(s.text[:s.after])
	for _, i := range slices.Compact(slices.Sorted(slices.Values(imports))) {
		if !slices.Contains(s.imported, i) {
			fmt.Fprintf(&out, "; import %s", i)
		}
	}
	from := s.after
	changed := slices.SortedFunc(maps.Keys(cases), func(a, b string) int {
		return s.functions[a].open.Offset - s.functions[b].open.Offset
	})
	for _, name := range changed {
		f := s.functions[name]
		out.Write(s.text[from : f.open.Offset+1])
		fmt.Fprintf(&out, "switch workbookVariant[1] {\n%s}\n/*line :%d:%d*/", strings.Join(cases[name], ""), f.open.Line, f.open.Column+1)
		from = f.open.Offset + 1
	}
	out.Write(s.text[from:])
	out.WriteString("\n" + strings.Join(more, ""))
	return out.Bytes()
}
