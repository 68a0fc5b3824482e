import 'holdfast';
