// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// settings are the names of CNI directories in the runtimes' configuration, by
// the section they are in: crictl info (JSON) and containerd (TOML) say cni,
// CRI-O says crio.network.
var settings = map[string]struct{ confs, bins []string }{
	"cni":     {confs: []string{"confDir", "conf_dir"}, bins: []string{"binDir", "binDirs", "bin_dir", "bin_dirs"}},
	"network": {confs: []string{"network_dir"}, bins: []string{"plugin_dir", "plugin_dirs"}},
}

// Command lines of cri-dockerd and of kubelets before 1.24.
var (
	confFlag = regexp.MustCompile(`--cni-conf-dir[= ](\S+)`)
	binFlag  = regexp.MustCompile(`--cni-bin-dir[= ](\S+)`)
)

// cniDirectories are the usual places and then those the runtimes name in what
// they answered to runtimeConfig.
func cniDirectories(answers []answer) (confs, bins []string) {
	confs, bins = slices.Clone(confDirs), slices.Clone(binDirs)
	for _, a := range answers {
		if a.err != nil || a.code != 0 {
			continue
		}
		var tree any
		if json.Unmarshal(a.out, &tree) != nil && toml.Unmarshal(a.out, &tree) != nil {
			for _, m := range confFlag.FindAllSubmatch(a.out, -1) {
				confs = withDirs(confs, string(m[1]))
			}
			for _, m := range binFlag.FindAllSubmatch(a.out, -1) {
				bins = withDirs(bins, strings.Split(string(m[1]), ",")...)
			}
			continue
		}
		walk(tree, func(section string, table map[string]any) {
			for _, key := range settings[section].confs {
				confs = withDirs(confs, texts(table[key])...)
			}
			for _, key := range settings[section].bins {
				bins = withDirs(bins, texts(table[key])...)
			}
		})
	}
	return confs, bins
}

// walk calls visit for every table below tree with the key it has.
func walk(tree any, visit func(section string, table map[string]any)) {
	switch node := tree.(type) {
	case map[string]any:
		for key, child := range node {
			if table, ok := child.(map[string]any); ok {
				visit(key, table)
			}
			walk(child, visit)
		}
	case []any:
		for _, child := range node {
			walk(child, visit)
		}
	}
}

// texts are the strings of a setting that is one or a list of them.
func texts(setting any) []string {
	switch value := setting.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, element := range value {
			all = append(all, texts(element)...)
		}
		return all
	}
	return nil
}

// withDirs adds those that are absolute and not there yet.
func withDirs(dirs []string, more ...string) []string {
	for _, dir := range more {
		if path.IsAbs(dir) && !slices.Contains(dirs, path.Clean(dir)) {
			dirs = append(dirs, path.Clean(dir))
		}
	}
	return dirs
}
