// Package compare puts two versions of a Go package side by side: declaration by
// declaration, and not line by line. Two people who solve the same task write other
// lines, but the functions are the same.
package compare

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// Part is a declaration at the top of a file: a function, a method, a type, or a
// group of constants or variables.
type Part struct {
	Name string // "Writer.Send"
	File string
	Line int
	Text string // with its comment
	// Offset is where that begins in the file.
	Offset int
	Func   bool // it is a function or a method
}

// Pair is the same declaration in both versions. One that only one of them has is nil
// in the other.
type Pair struct {
	Name           string
	Yours, Another *Part
}

// Same says that both versions have the same text.
func (p Pair) Same() bool {
	return p.Yours != nil && p.Another != nil && p.Yours.Text == p.Another.Text
}

// Pairs pairs the declarations of two packages, which are files by their names. They
// come in the order of the other version; what only yours has comes at the end.
func Pairs(yours, another map[string][]byte) ([]Pair, error) {
	mine, err := parts(yours)
	if err != nil {
		return nil, err
	}
	theirs, err := parts(another)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for _, t := range theirs {
		pair := Pair{Name: t.Name, Another: &t}
		if i := slices.IndexFunc(mine, func(m Part) bool { return m.Name == t.Name }); i >= 0 {
			pair.Yours = &mine[i]
		}
		pairs = append(pairs, pair)
	}
	for _, m := range mine {
		if !slices.ContainsFunc(theirs, func(t Part) bool { return t.Name == m.Name }) {
			pairs = append(pairs, Pair{Name: m.Name, Yours: &m})
		}
	}
	return pairs, nil
}

// parts are the declarations of a package, but for its imports.
func parts(files map[string][]byte) ([]Part, error) {
	var all []Part
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, files[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			what := Name(d)
			if what == "" {
				continue
			}
			from, to := d.Pos(), d.End()
			if doc := docOf(d); doc != nil {
				from = doc.Pos()
			}
			at := set.Position(from).Offset
			text := files[name][at:set.Position(to).Offset]
			_, fn := d.(*ast.FuncDecl)
			all = append(all, Part{Name: what, File: name, Line: set.Position(d.Pos()).Line, Text: string(bytes.TrimSpace(text)), Offset: at, Func: fn})
		}
	}
	return all, nil
}

// Name is a declaration's name: "Send", "Writer.Send", "Writer"; that of a group is
// its first name. It is "" for imports.
func Name(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || len(d.Recv.List) == 0 {
			return d.Name.Name
		}
		return fmt.Sprintf("%s.%s", base(d.Recv.List[0].Type), d.Name.Name)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				return spec.Name.Name
			case *ast.ValueSpec:
				return spec.Names[0].Name
			}
		}
	}
	return ""
}

// base is the name of a receiver's type.
func base(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}
