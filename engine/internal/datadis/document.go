package datadis

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// newDecoder reads a body. Names may come twice, the last one counts; the
// encoding has been put right before.
func newDecoder(body []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// document walks an answer of either version: value is called with the decoder
// in front of what Datadis wants to tell, which is the whole document in V1 and
// stands under key in V2. An answer without it is unreadable, not empty.
func document(body []byte, key string, value func(*jsontext.Decoder) error) ([]DistributorError, error) {
	dec := newDecoder(toUTF8(body))
	var failures []DistributorError
	var err error
	switch dec.PeekKind() {
	case '[':
		err = value(dec)
	case '{':
		failures, err = wrapper(dec, key, value)
	default:
		_, err = dec.ReadValue()
		if err == nil {
			err = errors.New("it is neither an array nor an object")
		}
	}
	if err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return failures, nil
}

// wrapper reads the object that V2 puts around an answer.
func wrapper(dec *jsontext.Decoder, key string, value func(*jsontext.Decoder) error) ([]DistributorError, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var failures []DistributorError
	found := false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		switch name.String() {
		case key:
			found = true
			err = value(dec)
		case "distributorError":
			failures, err = distributorErrors(dec)
		default:
			err = dec.SkipValue()
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("there is no %s in it", key)
	}
	return failures, nil
}

// array calls each in front of every element of an array. Null is an empty one.
func array(dec *jsontext.Decoder, each func(*jsontext.Decoder) error) error {
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case '[':
	default:
		return misplaced(dec, "a list")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := each(dec); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// misplaced is the error for a value that should be something else: its own, if
// it is not even JSON.
func misplaced(dec *jsontext.Decoder, wanted string) error {
	kind := dec.PeekKind()
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return fmt.Errorf("there is a %s where %s belongs", kind, wanted)
}

// atEnd checks that nothing follows the document.
func atEnd(dec *jsontext.Decoder) error {
	switch _, err := dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return errors.New("something follows the document")
	}
}

// unreadable says that a body is not what Datadis documents. Only the place of
// a syntax error is kept: its text may quote somebody's data.
func unreadable(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: no valid JSON at byte %d", ErrUnreadable, syntax.ByteOffset)
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}
