// SPDX-License-Identifier: Apache-2.0

// Package pseudonym copies what a run left behind with addresses and names
// replaced, for bundles that leave the company. The same address or name is
// replaced by the same one everywhere, and two addresses share as many leading
// bits after as before, so that ranges, routes and overlaps still tell what they
// told and a diagnosis of the copy finds the same causes. It works on files
// alone, offline.
package pseudonym

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Mapping replaces addresses and names. It is safe for concurrent use once made.
type Mapping struct {
	addresses addresses
	names     map[string]string
	// nodes are the nodes' names, which static pods' names end with.
	nodes []string
}

// New makes a mapping of a secret key, any bytes, that only who keeps the
// original should have, and of the names to replace.
func New(key []byte, names Names) *Mapping {
	m := &Mapping{addresses: addresses{key, &sync.Map{}}, names: map[string]string{}, nodes: names.Nodes}
	for _, group := range []struct {
		word  string
		names []string
		given bool // replaced whatever they are
	}{{"node", names.Nodes, true}, {"cluster", names.Clusters, true}, {"ns", names.Namespaces, false}, {"obj", names.Objects, false}} {
		sorted := slices.Clone(group.names)
		slices.Sort(sorted)
		number := 0
		for _, name := range slices.Compact(sorted) {
			if _, ok := m.names[name]; !ok && (replaceable(name) || group.given && name != "") {
				number++
				m.names[name] = fmt.Sprintf("%s-%d", group.word, number)
			}
		}
	}
	return m
}

// Names returns what names were replaced by what: the key to the copy.
func (m *Mapping) Names() map[string]string { return m.names }

// Key is the file beside a copy that says what names were replaced by what. It is
// never copied.
const Key = "pseudonyms.json"

// word is what may be a name: DNS labels and their joins by dots, as Kubernetes
// names objects (RFC 1123).
var word = regexp.MustCompile(`[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?)*`)

// Text replaces addresses and names in text.
func (m *Mapping) Text(text string) string {
	return word.ReplaceAllStringFunc(m.addresses.text(text), m.name)
}

// name replaces a name, or the names that a dotted one is made of: probe.shop.svc.
func (m *Mapping) name(text string) string {
	if is, ok := m.names[text]; ok {
		return is
	}
	for _, node := range m.nodes {
		if rest, ok := strings.CutSuffix(text, "-"+node); ok {
			return rest + "-" + m.names[node]
		}
	}
	if !strings.Contains(text, ".") {
		return text
	}
	parts := strings.Split(text, ".")
	for i, part := range parts {
		if is, ok := m.names[part]; ok {
			parts[i] = is
		}
	}
	return strings.Join(parts, ".")
}

// Copy copies the tree of files at from to the directory to, which it makes,
// names of files included. Files that are no text are left out, and links to
// files are copied as files. It returns how many files it wrote.
func (m *Mapping) Copy(to, from string) (int, error) {
	written := 0
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if inside, err := filepath.Rel(to, path); err == nil && filepath.IsLocal(inside) && entry.IsDir() {
			return fs.SkipDir // the copy itself
		}
		if entry.IsDir() || !entry.Type().IsRegular() || filepath.Ext(path) == ".lock" || entry.Name() == Key {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
			data = bytes.ToValidUTF8(bytes.ReplaceAll(data, []byte{0}, nil), []byte("\uFFFD"))
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(m.path(filepath.ToSlash(name))))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		written++
		return os.WriteFile(target, []byte(m.Text(string(data))), 0o644)
	})
	if err != nil {
		return written, fmt.Errorf("copy %s with pseudonyms: %w", from, err)
	}
	return written, nil
}

// path replaces names in the elements of a path, but for their endings.
func (m *Mapping) path(name string) string {
	elements := strings.Split(name, "/")
	for i, element := range elements {
		if replaced := m.Text(element); replaced != element {
			elements[i] = replaced
			continue
		}
		stem, ending, _ := strings.Cut(element, ".")
		if is, ok := m.names[stem]; ok {
			elements[i] = is + "." + ending
		}
	}
	return strings.Join(elements, "/")
}
