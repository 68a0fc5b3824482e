// A module with nothing in it: what `import 'holdfast'` is measured against.
