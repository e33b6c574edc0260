// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entry is one path of an image layer; exactly one of the sources is set.
type entry struct {
	path string // without a leading slash
	mode fs.FileMode
	file string // a file of this machine
	text string // content
	link string // target of a symbolic link
	dir  bool
}

// writeLayer writes the entries, all owned by root, as a tar file.
func writeLayer(path string, entries []entry) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create an image layer: %w", err)
	}
	defer file.Close()
	w := tar.NewWriter(file)
	for _, e := range entries {
		if err := e.write(w); err != nil {
			return fmt.Errorf("put /%s into an image layer: %w", e.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write an image layer: %w", err)
	}
	return file.Close()
}

func (e entry) write(w *tar.Writer) error {
	// A fixed time: the same programs make the same layer.
	header := tar.Header{Name: e.path, Mode: int64(e.mode), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case e.dir:
		header.Typeflag = tar.TypeDir
		return w.WriteHeader(&header)
	case e.link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		return w.WriteHeader(&header)
	case e.file == "":
		header.Size = int64(len(e.text))
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		_, err := io.WriteString(w, e.text)
		return err
	}
	file, err := os.Open(e.file)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}

// tree returns an entry for each file below dir, at the same path below root.
func tree(dir, root string, mode func(path string) fs.FileMode) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		target := filepath.Join(root, rel)
		entries = append(entries, entry{path: target, mode: mode(target), file: path})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the files in %s: %w", dir, err)
	}
	return entries, nil
}

// plainLayer is a tar file as an image layer that is not compressed: the engine of
// this machine unpacks it once.
type plainLayer struct {
	path   string
	digest v1.Hash
	size   int64
}

func newPlainLayer(path string) (v1.Layer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read an image layer: %w", err)
	}
	defer file.Close()
	digest, size, err := v1.SHA256(file)
	if err != nil {
		return nil, fmt.Errorf("hash the image layer %s: %w", path, err)
	}
	return plainLayer{path, digest, size}, nil
}

func (l plainLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l plainLayer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l plainLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l plainLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l plainLayer) Size() (int64, error)                 { return l.size, nil }
func (l plainLayer) MediaType() (types.MediaType, error) {
	return types.DockerUncompressedLayer, nil
}

// packedLayer is a tar file as a layer that is compressed quickly and in memory.
func packedLayer(path string) (v1.Layer, error) {
	layer, err := tarball.LayerFromFile(path, tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("compress the image layer %s: %w", path, err)
	}
	return layer, nil
}
