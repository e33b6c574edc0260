// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"encoding/json"
	"errors"
	"path"
	"regexp"
	"strings"
)

// NetworkConfig is a CNI configuration file as it was found.
type NetworkConfig struct {
	Node string
	// Path is the file's own on the node.
	Path string
	// Err is why it is no CNI configuration; nil for a good one.
	Err        error
	Name       string
	CNIVersion string
	// Plugins are the types of the chain, delegates and IPAM included.
	Plugins []string
	// MTU is what the first plugin asks for, 0 when it does not.
	MTU int
	// Quote is the line the error is in, else the first.
	Quote Quote

	lines []string
	first Quote
}

// Find quotes the first line of the file that has a word, else its first.
func (c NetworkConfig) Find(word string) Quote {
	for i, line := range c.lines {
		if strings.Contains(line, word) {
			return c.at(i)
		}
	}
	return c.Quote
}

func (c NetworkConfig) at(line int) Quote {
	return Quote{File: c.first.File, Line: c.first.Line + line, Text: strings.TrimSpace(c.lines[line])}
}

// PluginVersions are the CNI versions a plugin says it supports, when asked with
// CNI_COMMAND=VERSION.
type PluginVersions struct {
	Node, Plugin string
	Supported    []string
	Quote        Quote
}

// readPluginVersions reads a plugin's answer; the file is named after it.
func (f *Facts) readPluginVersions(data []byte, q Quote) {
	var answer struct{ SupportedVersions []string }
	if json.Unmarshal(data, &answer) != nil || len(answer.SupportedVersions) == 0 {
		return
	}
	name := strings.TrimSuffix(path.Base(q.File), ".json")
	f.Plugins = append(f.Plugins, PluginVersions{Plugin: name, Supported: answer.SupportedVersions, Quote: q})
}

// Dir is a folder's listing on a node.
type Dir struct {
	Node, Path string
	Files      []string
	// Missing tells that the folder does not exist.
	Missing bool
	Quote   Quote
}

// configSuffixes are the files libcni reads (libcni.ConfFiles).
var configSuffixes = regexp.MustCompile(`\.(conf|conflist|json)$`)

// IsNetworkConfig tells whether the runtime would read a file of that name.
func IsNetworkConfig(name string) bool { return configSuffixes.MatchString(name) }

// parseNetworkConfig reads a configuration or a list of them as libcni does
// (libcni/conf.go: a name, then type or plugins).
func parseNetworkConfig(file, text string, first Quote) NetworkConfig {
	c := NetworkConfig{Path: file, Quote: first, first: first, lines: strings.Split(text, "\n")}
	var raw struct {
		Name       string
		CNIVersion string
		Type       string
		MTU        int
		Plugins    []plugin
		plugin
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		c.Err = err
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			c.Quote = c.at(strings.Count(text[:min(int(syntax.Offset), len(text))], "\n"))
		}
		return c
	}
	c.Name, c.CNIVersion, c.MTU = raw.Name, raw.CNIVersion, raw.MTU
	switch {
	case len(raw.Plugins) > 0:
		c.MTU = raw.Plugins[0].MTU
		for _, p := range raw.Plugins {
			c.Plugins = append(c.Plugins, p.types()...)
		}
	case raw.Type != "":
		one := plugin{Type: raw.Type, IPAM: raw.IPAM, Delegate: raw.Delegate}
		c.Plugins = one.types()
	default:
		c.Err = errMissing("'type' or 'plugins'")
	}
	for _, t := range c.Plugins {
		if t == "" {
			c.Err = errMissing("'type' of a plugin")
		}
	}
	if raw.Name == "" && c.Err == nil {
		c.Err = errMissing("'name'")
	}
	return c
}

type plugin struct {
	Type     string
	MTU      int
	IPAM     struct{ Type string }
	Delegate struct{ Type string }
}

func (p plugin) types() []string {
	types := []string{p.Type}
	for _, t := range []string{p.IPAM.Type, p.Delegate.Type} {
		if t != "" {
			types = append(types, t)
		}
	}
	return types
}

type errMissing string

func (e errMissing) Error() string { return "it has no " + string(e) }

// dirParser reads the output of ls -l, with the folder's name before it.
type dirParser struct {
	facts *Facts
	// file is the listing's own path, which may tell the folder's:
	// nodes/<node>/listing/opt/cni/bin.txt.
	file string
	open bool
}

var listingPath = regexp.MustCompile(`/listing(/.*(?:cni|net\.d)[^.]*(?:\.d)?)\.txt$`)

var (
	dirHeading = regexp.MustCompile(`^(?:[$#=>-]+ )?(?:ls (?:-\S+ )*)?(/[\w./-]*(?:cni|net\.d)[\w./-]*):?$`)
	dirMissing = regexp.MustCompile(`(?:cannot access|cannot open directory) '?(/[\w./-]+?)'?: No such file or directory`)
	dirEntry   = regexp.MustCompile(`^[-dlcbps][rwxsStT-]{9}[.+@]?\s+\d+\s+\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+\S+\s+(.+)$`)
	dirTotal   = regexp.MustCompile(`^total \d+`)
)

func (p *dirParser) line(q Quote) {
	text := q.Text
	if m := dirHeading.FindStringSubmatch(text); m != nil {
		p.facts.Dirs = append(p.facts.Dirs, Dir{Path: strings.TrimSuffix(m[1], "/"), Quote: q})
		p.open = true
		return
	}
	if m := dirMissing.FindStringSubmatch(text); m != nil && (strings.Contains(m[1], "cni")) && !strings.Contains(text, "*") {
		p.facts.Dirs = append(p.facts.Dirs, Dir{Path: m[1], Missing: true, Quote: q})
		p.open = false
		return
	}
	if m := listingPath.FindStringSubmatch(p.file); m != nil && !p.open && q.Line == 1 && dirTotal.MatchString(text) {
		p.facts.Dirs = append(p.facts.Dirs, Dir{Path: m[1], Quote: q})
		p.open = true
	}
	if !p.open {
		return
	}
	if m := dirEntry.FindStringSubmatch(text); m != nil {
		name, _, _ := strings.Cut(m[1], " -> ")
		if name != "." && name != ".." {
			dir := &p.facts.Dirs[len(p.facts.Dirs)-1]
			dir.Files = append(dir.Files, name)
		}
		return
	}
	if !dirTotal.MatchString(text) {
		p.open = false
	}
}
