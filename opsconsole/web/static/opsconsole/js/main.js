// Everything a page may need; elements wake up where they stand.
import "ops/live";
import "ops/chart";
import "ops/heatmap";
import "ops/stat";
import "ops/table";
import "ops/board";
import "ops/moment";
import "ops/picker";
import "ops/status";
import "ops/toast";
import "ops/keys";
import "ops/copy";
